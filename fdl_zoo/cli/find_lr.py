"""`fdl find-lr`: the learning rate range test; prints the flag to paste."""

from typing import Any

import click

from fdl_zoo.cli._common import common_options, emit, relative
from fdl_zoo.cli._run_options import as_keywords, run_options, speaker


@click.command("find-lr", epilog="Example:  fdl find-lr mlp --optimizer momentum")
@run_options
@click.option("--low", type=float, help="The first rate; 1e-6 by default.")
@click.option("--high", type=float, help="The last rate; 10 by default.")
@click.option("--steps", type=int, help="Steps from one to the other; 300 by default.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Find a learning rate for MODEL: the rate grows at each step, and the loss tells."""
    from fdl_zoo.comparison.find_lr import find_lr

    found = find_lr(**as_keywords(**given), say=speaker(ctx))
    emit(ctx, found.as_dict(), _text(found))


def _text(found: Any) -> str:
    end = f", and diverged at {found.rates[-1]:.2g}" if found.diverged else ""
    picture = found.figures[0]
    shown = relative(picture)
    lines = [
        f"the loss falls fastest at a learning rate of {found.suggestion:g}, no more from {found.upper:.2g}{end}",
        f"figure  {shown}",
        f"paste   {found.flag}",
    ]
    return "\n".join(lines)
