"""`fdl rerun`: repeat a run from its stored specification and say whether it comes out the same."""

from typing import Any

import click

from fdl_zoo.cli._common import RunName, common_options, emit
from fdl_zoo.cli.train import shown


@click.command("rerun", epilog="Example:  fdl rerun last")
@click.argument("run", type=RunName())
@common_options
@click.pass_context
def command(ctx: click.Context, run: str) -> None:
    """Repeat RUN and compare it with itself, epoch by epoch; ends with status 1 if they part."""
    from fdl_zoo.training.rerun import rerun

    progress, verbose = shown(ctx)
    found = rerun(run, progress=progress, verbose=verbose)
    emit(ctx, found.as_dict(), _verdict(found))
    ctx.exit(0 if found.difference.equal else 1)


def _verdict(found: Any) -> str:
    difference = found.difference
    old, new = difference.runs
    if difference.equal:
        return f"bit-equal: {new} has the weights and optimizer state of {old} after each of {difference.epochs} epochs"
    causes = found.causes or ["nothing that is recorded differs: versions, data and devices are the same"]
    return "\n".join([f"{new} differs from {old} from epoch {difference.first_epoch} on", *causes])
