"""`fdl data`: which datasets can be used now, and fetching one that cannot."""

from typing import TYPE_CHECKING

import click

from fdl_zoo.cli._common import EntryName, Subcommands, columns, common_options, emit, relative, width

if TYPE_CHECKING:
    from fdl_zoo.preparation import Preparation

_DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(file_okay=False),
    help="Where prepared datasets lie.  [default: TFDS_DATA_DIR, or ~/tensorflow_datasets]",
)


@click.group("data", cls=Subcommands, invoke_without_command=True)
@common_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """List datasets with what they need, and prepare one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("list")
@_DATA_DIR
@common_options
@click.pass_context
def list_command(ctx: click.Context, data_dir: str | None = None) -> None:
    """List datasets, and whether each can be used now."""
    from fdl_zoo.preparation import list_data

    found = list_data(data_dir)
    rows = [("dataset", "state", "where"), *((each.name, each.state, _where(each)) for each in found)]
    emit(ctx, [each.as_dict() for each in found], columns(rows, width()))


@command.command("prepare")
@click.argument("name", type=EntryName("datasets"))
@_DATA_DIR
@common_options
@click.pass_context
def prepare_command(ctx: click.Context, name: str, data_dir: str | None) -> None:
    """Fetch a dataset where it is missing, and load it once."""
    from fdl_zoo.preparation import prepare_data

    done = prepare_data(name, data_dir)
    counts = ", ".join(f"{count:,} {part}" for part, count in (done.examples or {}).items())
    emit(ctx, done.as_dict(), f"{name} is {done.state}: {counts} examples\n{_where(done)}")


def _where(found: "Preparation") -> str:
    """Where it is, or how to get it."""
    if found.state == "missing":
        return f"`fdl data prepare {found.name}` fetches it"
    if found.folder:
        return str(relative(found.folder))
    return {
        "own": "your file: `fdl train MODEL --data PATH`",
        "family": f"`fdl data prepare {found.name}/NAME` fetches one",
    }.get(found.state, "needs no files")
