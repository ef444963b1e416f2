"""`fdl diff`: what differs between two runs, and the first epoch at which they part."""

from typing import Any

import click

from fdl_zoo.cli._common import RunName, columns, common_options, emit, width


@click.command("diff", epilog="Example:  fdl diff mlp-digits-7f3a2c last")
@click.argument("one", metavar="RUN", type=RunName())
@click.argument("other", metavar="RUN", type=RunName())
@common_options
@click.pass_context
def command(ctx: click.Context, one: str, other: str) -> None:
    """Show what differs between two runs: specification, versions, data, and when their weights part."""
    from fdl_zoo.training.diff import diff

    found = diff(one, other)
    emit(ctx, found.as_dict(), "\n".join(filter(None, [_values(found), _parting(found)])))


def _values(found: Any) -> str:
    rows = [("", *found.runs)]
    rows += [(name, *("" if value is None else str(value) for value in pair)) for name, pair in found.values.items()]
    rows += [(name, *(f"{value:.6g}" for value in pair)) for name, pair in found.metrics.items()]
    return columns(rows, width())


def _parting(found: Any) -> str:
    if not found.epochs:
        return "they have no epoch in common"
    if found.equal:
        return f"bit-equal after each of {found.epochs} epochs"
    return f"they part in epoch {found.first_epoch}; the metrics are those after it"
