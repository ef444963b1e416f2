"""`fdl show`: one entry, its facts, its options, and a model's layers."""

import re
import textwrap
from typing import TYPE_CHECKING, Any

import click

from fdl_zoo.cli._common import EntryName, columns, common_options, emit, state_of, width

if TYPE_CHECKING:
    from fdl_zoo.errors import UnknownName


@click.command("show")
@click.argument("name", type=EntryName(None))
@click.option(
    "--kind", type=click.Choice(["models", "optimizers", "callbacks", "datasets"]), help="Where it is looked for."
)
@click.option("--layers", is_flag=True, help="Build the model and print each layer's output shape and parameters.")
@click.option("--input-shape", metavar="H,W,C", help="The shape of one example, with --layers.")
@click.option("--num-outputs", type=int, help="The number of outputs, with --layers.")
@common_options
@click.pass_context
def command(
    ctx: click.Context, name: str, kind: str | None, layers: bool, input_shape: str | None, num_outputs: int | None
) -> None:
    """Show an entry: what it is, its options, its recipes."""
    from fdl_zoo import catalogue
    from fdl_zoo.errors import InvalidOption

    kind, entry = _find(name, kind)
    facts = catalogue.describe(kind, entry.name)
    if not layers:
        if input_shape or num_outputs:
            raise InvalidOption("--input-shape and --num-outputs go with --layers.")
        emit(ctx, facts, _text(entry))
        return
    if kind != "models":
        raise InvalidOption(f"--layers cannot be shown of {entry.name}: it is one of the {kind}, not a model.")
    rows = _layers(entry, _shape(input_shape), num_outputs, state_of(ctx).verbose)
    emit(ctx, {**facts, "layers": rows}, _layer_table(rows))


def _find(name: str, kind: str | None) -> tuple[str, Any]:
    """The entry of a name, over all kinds unless one is given."""
    from fdl_zoo import catalogue
    from fdl_zoo.errors import InvalidName, UnknownName

    if kind:
        return kind, catalogue.registry(kind).find(name)
    found, complaints = [], []
    for registry in catalogue.REGISTRIES.values():
        try:
            found.append((registry.kind, registry.find(name)))
        except UnknownName as error:
            complaints.append(error)
    if len(found) > 1:
        raise InvalidName(f"{name!r} is among the {' and the '.join(kind for kind, _ in found)}: choose by --kind.")
    if not found:
        raise UnknownName(_best(complaints, name))
    return found[0]


def _best(complaints: "list[UnknownName]", name: str) -> str:
    """Of four answers the one that helps: a failure or a suggestion before a bare no."""
    helpful = [str(each) for each in complaints if "failed to load" in str(each) or "its plugin" in str(each)]
    meant = [str(each).partition("did you mean ")[2].partition("?")[0] for each in complaints]
    if helpful:
        return helpful[0]
    close = " or ".join(filter(None, meant))
    hint = f"did you mean {close}? (`fdl list` shows all)" if close else "`fdl list` shows all."
    return f"Nothing is named {name!r}: {hint}"


def _shape(text: str | None) -> tuple[int, ...] | None:
    from fdl_zoo.errors import InvalidOption

    if text is None:
        return None
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise InvalidOption(f"--input-shape cannot be {text!r}: write for example 28,28,1.")
    return shape


def _layers(
    entry: Any, input_shape: tuple[int, ...] | None, num_outputs: int | None, verbose: bool
) -> list[dict[str, Any]]:
    from fdl_zoo import backend, catalogue
    from fdl_zoo.analysis.layers import layer_rows
    from fdl_zoo.errors import InvalidOption

    shape, outputs = input_shape or entry.card.input_shape, num_outputs or entry.card.num_outputs
    if shape is None or outputs is None:
        raise InvalidOption(f"{entry.name} states no shape of its own: give --input-shape and --num-outputs.")
    backend.load(verbose)
    return layer_rows(catalogue.create_model(entry.name, input_shape=shape, num_outputs=outputs))


def _layer_table(rows: list[dict[str, Any]]) -> str:
    table = [("layer", "type", "output", "params", "by the book's formula")]
    for row in rows:
        shape = "x".join(str(size) if size else "batch" for size in row["output_shape"])
        table.append((row["name"], row["type"], shape, f"{row['params']:,}", row["formula"]))
    return columns(table, width()) + f"\n{sum(row['params'] for row in rows):,} parameters"


def _text(entry: Any) -> str:
    card, columns_ = entry.card, width() or 100
    facts = {
        "task": ", ".join(card.tasks),
        "chapter": card.chapter,
        "source": card.source or card.citation,
        "input shape": "x".join(map(str, card.input_shape or ())),
        "outputs": card.num_outputs,
        "parameters": f"{card.num_params:,}" if card.num_params else None,
        "tags": ", ".join(card.tags),
        "aliases": ", ".join(card.aliases),
        "capabilities": ", ".join(card.capabilities),
        "variants": ", ".join(card.variants),
        "comes from": f"{entry.distribution} {entry.version}".strip(),
        "train it": _command(entry),
    }
    parts = [f"{entry.name} ({entry.kind[:-1]})", _wrap(entry.source.doc or entry.summary, columns_)]
    parts.append(_table([(label, str(value)) for label, value in facts.items() if value], columns_))
    if entry.source.problem:
        parts.append(f"problem: {entry.source.problem}")
    if card.recipes:
        parts.append("recipes\n" + _table(_recipes(card.recipes), columns_))
    if card.weights:
        parts.append("weights\n" + _table(_weights(entry), columns_))
    if entry.options:
        parts.append("options\n" + "\n".join(_option(each, columns_) for each in entry.options.values()))
    return "\n\n".join(parts)


def _table(rows: list[tuple[str, str]], limit: int) -> str:
    """Labels and texts in two columns; what does not fit on a line goes on below its beginning."""
    size = max(len(label) for label, _ in rows)
    return "\n".join(
        textwrap.fill(text, limit, initial_indent=f"  {label:{size}}  ", subsequent_indent=" " * (size + 4))
        for label, text in rows
    )


def _wrap(text: str, limit: int) -> str:
    text = re.split(r"^Arg(?:ument)?s:", text, flags=re.MULTILINE)[0]  # of Keras's classes: shown as options
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(textwrap.fill(" ".join(each.split()), min(limit, 100)) for each in paragraphs)


def _recipes(recipes: Any) -> list[tuple[str, str]]:
    from fdl_zoo.layers import recipe_values

    rows = []
    for dataset, recipe in recipes.items():
        values = dict(recipe_values(recipe))
        optimizer = values.pop("optimizer", None)
        if isinstance(optimizer, dict):
            options = ", ".join(f"{key}={value}" for key, value in optimizer.items() if key != "name")
            optimizer = f"{optimizer['name']}({options})"
        words = ([f"optimizer={optimizer}"] if optimizer else []) + [f"{key}={value}" for key, value in values.items()]
        if recipe.reference:
            command = recipe.reference.command
            measured = f" (`{command}`)" if command.startswith("fdl ") else f" ({command})" if command else ""
            words.append(f"reaches {recipe.reference.metric} {recipe.reference.value}{measured}")
        rows.append((dataset, ", ".join(words)))
    return rows


def _command(entry: Any) -> str | None:
    """How a model, under its own name, is trained on the dataset of its first recipe."""
    data = next((name for name in entry.card.recipes if name != "*"), None)
    return f"fdl train {entry.name} --data {data}" if entry.kind == "models" and data else None


def _weights(entry: Any) -> list[tuple[str, str]]:
    """The trained weights that come with a model: what they give, how they were made, and how to start from them."""
    return [
        (
            dataset,
            f"{each.metric} {each.value}, made by `{each.command}`; `fdl train {entry.name} --init-from {dataset}`",
        )
        for dataset, each in entry.card.weights.items()
    ]


def _option(option: Any, limit: int) -> str:
    from fdl_zoo.option import REQUIRED

    default = "" if option.default is REQUIRED else f" = {option.default!r}"
    head = f"  {option.name}: {option.type}{default}" + (f"  in {option.range}" if option.range else "")
    head = textwrap.fill(head, limit, subsequent_indent=" " * 4)
    if not option.help:
        return head
    return head + "\n" + textwrap.fill(option.help, limit, initial_indent=" " * 6, subsequent_indent=" " * 6)
