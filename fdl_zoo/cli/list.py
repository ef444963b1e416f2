"""`fdl list`: the catalogue, one line per entry."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from fdl_zoo.cli._common import columns, common_options, emit, width

if TYPE_CHECKING:
    from fdl_zoo.entry import Entry


@click.command("list")
@click.argument("kind", required=False, shell_complete=lambda ctx, param, incomplete: _kinds(incomplete))
@click.option("--match", "-m", multiple=True, metavar="PATTERN", help="Names that match a wildcard; may be repeated.")
@click.option("--task", help="A task: classification, binary, regression or objective.")
@click.option("--chapter", type=int, help="The chapter of the book.")
@click.option("--max-params", type=int, help="At most so many parameters.")
@click.option("--tag", help="A tag of the card.")
@click.option("--origin", help="fdl_zoo, keras, or a plugin's distribution.")
@click.option("--names", is_flag=True, help="Names only, one per line, for scripts.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, kind: str | None, match: tuple[str, ...], names: bool, **filters: object) -> None:
    """List models, optimizers, callbacks and datasets."""
    from fdl_zoo import catalogue

    kinds = [catalogue.registry(kind).kind] if kind else list(catalogue.REGISTRIES)
    found = _find(kinds, match or (None,), filters)
    entries = [entry for each in kinds for entry in found[each]]
    if names:
        text = "\n".join(entry.name for entry in entries)
    elif kind:
        text = columns([(entry.name, entry.summary) for entry in entries], width())
    else:
        text = "\n\n".join(_section(each, found[each]) for each in kinds if found[each])
    facts = [entry.as_dict() for entry in entries]
    empty = "" if names else "Nothing passes these filters."  # a script reads names: none is no line
    emit(ctx, [each["name"] for each in facts] if names else facts, text or empty)
    _mention_failures(ctx)


def _kinds(incomplete: str) -> list[str]:
    from fdl_zoo.entry import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def _find(kinds: Sequence[str], patterns: Sequence[str | None], filters: Mapping[str, Any]) -> "dict[str, list[Entry]]":
    """The entries by kind; over several kinds a pattern need match in one of them only."""
    from fdl_zoo import catalogue
    from fdl_zoo.errors import UnknownName

    found: dict[str, list[Entry]] = {each: [] for each in kinds}
    for pattern in patterns:
        complaints = []
        for each in kinds:
            try:
                new = catalogue.REGISTRIES[each].entries(pattern, **filters)
            except UnknownName as error:
                complaints.append(error)
            else:
                found[each] += [entry for entry in new if entry not in found[each]]
        if len(complaints) == len(kinds):
            raise max(complaints, key=lambda error: "did you mean" in str(error))
    return found


def _section(kind: str, entries: "list[Entry]") -> str:
    return f"{kind}\n" + columns([(entry.name, entry.summary) for entry in entries], width(), indent="  ")


def _mention_failures(ctx: click.Context) -> None:
    """One line on standard error if plugins have failed: a listing shows the rest all the same."""
    from fdl_zoo import catalogue
    from fdl_zoo.cli._common import state_of

    count = len(catalogue.failures())
    if count and not state_of(ctx).quiet:
        click.echo(f"{count} problem{'s' * (count > 1)} with plugins: `fdl plugins doctor` shows them.", err=True)
