"""`fdl resume`: go on with a run that was killed, from its newest checkpoint."""

import click

from fdl_zoo.cli._common import RunName, common_options
from fdl_zoo.cli.train import tell


@click.command("resume", epilog="Example:  fdl resume last")
@click.argument("run", type=RunName())
@common_options
@click.pass_context
def command(ctx: click.Context, run: str) -> None:
    """Go on with RUN to the result that it would have had."""
    from fdl_zoo.training.resume import resume

    tell(ctx, lambda **shown: resume(run, **shown))
