"""`fdl runs`: the runs of this working directory, latest first."""

from datetime import datetime
from typing import Any

import click

from fdl_zoo.cli._common import EntryName, columns, common_options, emit, state_of, width


@click.command("runs")
@click.option(
    "--status", type=click.Choice(["running", "finished", "failed", "killed", "interrupted"]), help="Only those."
)
@click.option("--model", type=EntryName("models"), help="Only runs of this model.")
@click.option("--data", type=EntryName("datasets"), help="Only runs on this dataset.")
@click.option("--optimizer", type=EntryName("optimizers"), help="Only runs with this optimizer.")
@click.option("--experiment", help="Only runs of this experiment.")
@click.option("--sort", metavar="METRIC", help="Best first, for example by test_accuracy.")
@click.option("--compare", is_flag=True, help="Show in which options the runs differ.")
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, compare: bool, **filters: Any) -> None:
    """List runs with their status and test metrics; sends what an earlier command could not."""
    from fdl_zoo.tracking.sender import send_unsent
    from fdl_zoo.training.runs import differences, runs

    listed = runs(**filters)
    found = [run.as_dict() for run in listed]
    changed = differences(listed) if compare else {}
    for index, (run, each) in enumerate(zip(listed, found, strict=True)):
        each["resume"] = run.folder.continuation if each["status"] == "INTERRUPTED" else None
        if compare:
            each["differs"] = {path: values[index] for path, values in changed.items()}
    text = columns(_compared(found, changed) if compare else _rows(found), width()) if found else _none(filters)
    emit(ctx, found, text)
    for message in send_unsent():
        if not state_of(ctx).quiet:
            click.echo(message, err=True)


def _none(filters: dict[str, Any]) -> str:
    if any(value for name, value in filters.items() if name != "limit"):
        return "No run passes these filters."
    return "No runs here: `fdl train mlp` makes one."


def _compared(found: list[dict[str, Any]], changed: dict[str, list[Any]]) -> list[tuple[str, ...]]:
    """A row per run: the values in which runs differ, then its test metrics."""
    metrics = sorted({name for run in found for name in run["metrics"] if name.startswith("test_")})
    rows: list[tuple[str, ...]] = [("run", *changed, *metrics)]
    for index, run in enumerate(found):
        tested = [f"{run['metrics'][name]:.4f}" if name in run["metrics"] else "" for name in metrics]
        rows.append((run["name"], *(str(values[index]) for values in changed.values()), *tested))
    return rows


def _rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("run", "status", "started", "took", "optimizer", "result")]
    for run in found:
        started = datetime.fromtimestamp(run["started"]).strftime("%m-%d %H:%M")
        took = f"{run['ended'] - run['started']:.0f} s" if run["ended"] else ""
        tested = [f"{name} {value:.4f}" for name, value in sorted(run["metrics"].items()) if name.startswith("test_")]
        result = ("  ".join(tested) if run["optimizer"] else "") or run["reason"] or ""
        if run["resume"]:
            result += f"; {run['resume']}"
        rows.append((run["name"], run["status"].lower(), started, took, run["optimizer"] or "?", result))
    return rows
