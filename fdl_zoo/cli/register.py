"""`fdl register`: a run's model in the MLflow Model Registry, under a name and an alias."""

import click

from fdl_zoo.cli._common import common_options, emit


@click.command("register", epilog="Example:  fdl register last digits@champion")
@click.argument("run")
@click.argument("target", metavar="NAME[@ALIAS]")
@common_options
@click.pass_context
def command(ctx: click.Context, run: str, target: str) -> None:
    """Register the model of RUN under NAME, and let ALIAS mean this version."""
    from fdl_zoo.artifacts.register import register

    found = register(run, target)
    emit(ctx, found.as_dict(), f"{found.uri} is version {found.version} of {found.name}")
