"""`fdl compare`: a grid of settings times seeds, several runs at once, compared in a table and in figures."""

import math
from typing import Any

import click

from fdl_zoo.cli._common import columns, common_options, emit, relative
from fdl_zoo.cli._run_options import as_keywords, run_options, speaker


@click.command(
    "compare", epilog="Example:  fdl compare mlp --vary optimizer=sgd,momentum,adam,lbfgs --vary seed=0..4 --jobs 2"
)
@run_options
@click.option("--vary", multiple=True, required=True, metavar="PATH=A,B|0..4", help="What varies; may be repeated.")
@click.option("--learning-rates", metavar="LOW..HIGH:logN|none", help="The grid each learning rate is chosen from.")
@click.option("--target", type=float, help="Time and steps are counted to this value of the monitored metric.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="Runs at once.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Compare settings of MODEL over seeds; a repeated command trains only what is missing."""
    from fdl_zoo.comparison.compare import compare

    found = compare(**as_keywords(**given), say=speaker(ctx))
    emit(ctx, found.as_dict(), _text(found))


def _text(found: Any) -> str:
    """The table, where the figures are, and the command that trains the best again."""
    lines = [columns(_rows(found)), ""]
    lines.append(f"{found.monitor} after the last epoch, mean and spread over seeds; best first by test data")
    lines.append(f"to target: median until {found.monitor} is {found.target:.5g}, over the seeds that reach it")
    edges = [row.setting for row in found.rows if row.rate_at_edge]
    if edges:
        lines.append(f"best rate at the edge of the grid, a wider one may be better: {', '.join(edges)}")
    for child in found.failed:
        lines.append(f"failed  {child.setting} seed {child.seed}: {child.reason}")
    if found.figures:
        lines.append(f"figures {relative(found.figures[0].parent)}")
    lines.append(f"sweep   {found.name}")
    lines.append(f"best    {found.command}")
    return "\n".join(lines)


def _rows(found: Any) -> list[tuple[str, ...]]:
    names = list(found.rows[0].metrics)
    heads = (
        "setting",
        "rate",
        found.monitor,
        *names,
        "start-up s",
        "seconds",
        "s to target",
        "steps to target",
        "rates ok",
        "seeds",
    )
    rows = [heads]
    for row in found.rows:
        tested = [_spread(*row.metrics[name]) if name in row.metrics else "" for name in names]
        total = row.seeds + row.failed
        rows.append(
            (
                row.setting,
                "" if row.learning_rate is None else f"{row.learning_rate:g}",
                _spread(row.value, row.value_spread),
                *tested,
                _number(row.startup, ".1f"),
                _number(row.seconds, ".2f"),
                f"{_number(row.seconds_to_target, '.2f')} ({row.reached}/{total})",
                _number(row.steps_to_target, ".0f"),
                f"{row.rates_reached}/{row.rates_tried}" if row.rates_tried else "",
                f"{row.seeds}/{total}",
            )
        )
    return rows


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"


def _spread(mean: float, spread: float) -> str:
    """A mean with its standard deviation, to the digits that the deviation leaves meaning."""
    if not math.isfinite(mean):
        return "-"
    if not math.isfinite(spread):
        return f"{mean:.5g}"
    digits = min(6, max(0, 1 - math.floor(math.log10(spread)))) if spread > 0 else 4
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"
