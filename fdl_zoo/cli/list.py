"""`fdl list`: the catalogue, one line per entry."""

import click

from fdl_zoo.cli._common import columns, common_options, emit, honour_strict, width


@click.command("list")
@click.argument("kind", required=False)
@click.option("--match", "-m", multiple=True, metavar="PATTERN", help="Names that match a wildcard; may be repeated.")
@click.option("--task", help="A task: classification, binary, regression or objective.")
@click.option("--chapter", type=int, help="The chapter of the book.")
@click.option("--max-params", type=int, help="At most so many parameters.")
@click.option("--tag", help="A tag of the card.")
@click.option("--origin", help="fdl_zoo, keras, or a plugin's distribution.")
@click.option("--names", is_flag=True, help="Names only, one per line, for scripts.")
@common_options
@click.pass_context
def command(ctx: click.Context, kind: str | None, match: tuple[str, ...], names: bool, **filters: object) -> None:
    """List models, optimizers, callbacks and datasets."""
    from fdl_zoo import catalogue
    from fdl_zoo.errors import InvalidOption, UnknownName
    from fdl_zoo.tasks import TASKS

    if filters["task"] not in (None, *TASKS):
        raise InvalidOption(f"--task cannot be {filters['task']!r}: it is one of {', '.join(TASKS)}.")
    honour_strict(ctx)
    kinds = [catalogue.registry(kind).kind] if kind else list(catalogue.REGISTRIES)
    found, complaint = {}, None
    for each in kinds:
        try:
            found[each] = catalogue.REGISTRIES[each].entries(match or None, **filters)
        except UnknownName as error:  # over all kinds a pattern need match in one of them only
            complaint, found[each] = error, []
    if complaint and not any(found.values()):
        raise complaint
    entries = [entry for each in kinds for entry in found[each]]
    if names:
        text = "\n".join(entry.name for entry in entries)
    elif kind:
        text = columns([(entry.name, entry.summary) for entry in entries], width())
    else:
        text = "\n\n".join(_section(each, found[each]) for each in kinds if found[each])
    facts = [entry.as_dict() for entry in entries]
    emit(ctx, [each["name"] for each in facts] if names else facts, text or "Nothing passes these filters.")
    _mention_failures(ctx)


def _section(kind: str, entries: list) -> str:
    return f"{kind}\n" + columns([(entry.name, entry.summary) for entry in entries], width(), indent="  ")


def _mention_failures(ctx: click.Context) -> None:
    """One line on standard error if plugins have failed: a listing shows the rest all the same."""
    from fdl_zoo import catalogue
    from fdl_zoo.cli._common import state_of

    count = len(catalogue.failures())
    if count and not state_of(ctx).quiet:
        click.echo(f"{count} problem{'s' * (count > 1)} with plugins: `fdl plugins doctor` shows them.", err=True)
