"""`fdl surface`: the loss along the line from start to solution, and on a plane (chapter 4)."""

from typing import Any

import click

from fdl_zoo.cli._bar import bar
from fdl_zoo.cli._common import RunName, common_options, emit, relative, state_of


@click.command("surface", epilog="Example:  fdl surface last --plane random")
@click.argument("run", type=RunName())
@click.option("--alpha", default="-0.5..1.5", show_default=True, metavar="FROM..TO", help="The part of the line.")
@click.option("--points", type=click.IntRange(2), default=81, show_default=True, help="Points on the line.")
@click.option(
    "--plane", type=click.Choice(["random", "path"]), help="Draw a plane too: of random directions, or of the path."
)
@click.option("--through", multiple=True, metavar="RUN", help="Twice: draw the plane through three solutions.")
@click.option(
    "--resolution", type=click.IntRange(2), default=25, show_default=True, help="Points along a plane's side."
)
@click.option("--extent", type=float, default=1.0, show_default=True, help="Half the side of a random plane.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random directions.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, run: str, alpha: str, **options: Any) -> None:
    """Draw the error surface of RUN: a name, an id, a prefix of either, or last."""
    from fdl_zoo.analysis.surface import surface

    start, stop = _range(alpha)
    with bar("losses", state_of(ctx).quiet) as progress:
        found = surface(run, start=start, stop=stop, progress=progress, **options)
    emit(ctx, found.as_dict(), _summary(found))


def _range(text: str) -> tuple[float, float]:
    first, dots, last = text.partition("..")
    try:
        return float(first), float(last if dots else "")
    except ValueError:
        raise click.UsageError(f"--alpha cannot be {text!r}: write FROM..TO, for example -0.5..1.5.") from None


def _summary(found: Any) -> str:
    facts = found.as_dict()
    share, where = 100 * facts["largest_bump_share"], facts["largest_bump_alpha"]
    lines = [f"largest bump  {facts['largest_bump']:.4g} ({share:.3g} % of the initial loss {found.initial_loss:.4g})"]
    if facts["largest_bump"] > 0:
        lines[0] += f" at alpha {where:.3g}"
    lines += [f"drawn         {relative(file)}" for file in found.files]
    return "\n".join(lines)
