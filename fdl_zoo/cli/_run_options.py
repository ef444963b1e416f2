"""Options of a run that the commands share which train several: what all their runs have in common."""

from collections.abc import Callable
from typing import Any

import click

from fdl_zoo.cli._common import Command, EntryName, state_of


def run_options(command: Command) -> Command:
    """Add MODEL and the options that choose what is trained and where it is recorded."""
    options = (
        click.argument("model", required=False, type=EntryName("models")),
        click.option("--data", type=EntryName("datasets"), help="A dataset's name, or the path of your own data."),
        click.option("--optimizer", type=EntryName("optimizers"), help="An optimizer's name."),
        click.option("--epochs", type=int, help="Passes over the training split."),
        click.option("--batch-size", metavar="N|full", help="Examples per step, or full."),
        click.option("--seed", type=int, help="Decides weights, order of examples and masks."),
        click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A YAML file, as of --dry-run."),
        click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Any value; may be repeated."),
        click.option("--data-dir", type=click.Path(file_okay=False), help="Where prepared datasets lie."),
        click.option("--experiment", help="The experiment's name in the tracking store."),
        click.option("--tracking-uri", help="A tracking server; the embedded store by default."),
        click.option("--no-tracking", is_flag=True, help="Send nothing to a store."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def as_keywords(tracking_uri: str | None, no_tracking: bool, **given: Any) -> dict[str, Any]:
    """The options as keywords of the public functions; what is not given is left out."""
    if no_tracking or tracking_uri:
        given["tracking"] = {"enabled": False} if no_tracking else {"uri": tracking_uri}
    return {name: value for name, value in given.items() if value is not None}


def speaker(ctx: click.Context) -> Callable[[str], None]:
    """Where the messages of a long command go: nowhere where quiet is asked for, beside the JSON where that is."""
    state = state_of(ctx)
    if state.quiet:
        return lambda text: None
    return lambda text: click.echo(text, err=state.json)
