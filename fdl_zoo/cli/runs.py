"""`fdl runs`: the runs of this working directory, latest first."""

from datetime import datetime
from typing import Any

import click

from fdl_zoo.cli._common import columns, common_options, emit, state_of, width


@click.command("runs")
@click.option(
    "--status", type=click.Choice(["running", "finished", "failed", "killed", "interrupted"]), help="Only those."
)
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@common_options
@click.pass_context
def command(ctx: click.Context, status: str | None, limit: int) -> None:
    """List runs with their status and test metrics; sends what an earlier command could not."""
    from fdl_zoo.tracking.sender import send_unsent
    from fdl_zoo.training.runs import runs

    found = [run.as_dict() for run in runs(status=status, limit=limit)]
    emit(ctx, found, columns(_rows(found), width()) if found else "No runs here: `fdl train mlp` makes one.")
    for message in send_unsent():
        if not state_of(ctx).quiet:
            click.echo(message, err=True)


def _rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("run", "status", "started", "took", "optimizer", "result")]
    for run in found:
        started = datetime.fromtimestamp(run["started"]).strftime("%m-%d %H:%M")
        took = f"{run['ended'] - run['started']:.0f} s" if run["ended"] else ""
        tested = [f"{name} {value:.4f}" for name, value in sorted(run["metrics"].items()) if name.startswith("test_")]
        result = "  ".join(tested) or run["reason"] or ""
        rows.append((run["name"], run["status"].lower(), started, took, run["optimizer"], result))
    return rows
