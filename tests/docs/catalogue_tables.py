"""README's tables of what there is, made from the cards; prints them, and writes them with --write."""

import sys
from pathlib import Path

from fdl_zoo import catalogue
from fdl_zoo.entry import Entry

README = Path(__file__).parents[2] / "README.md"
BEGIN = "<!-- catalogue: written by python -m tests.docs.catalogue_tables --write -->\n"
END = "<!-- end of catalogue -->\n"


def tables() -> str:
    """Both tables as Markdown: a row per model file, and the names of all else."""
    rows = ["| model | parameters | chapter | reference result, checked |", "|---|---|---|---|"]
    for entry in catalogue.models.entries():
        if entry.variant_of is None:
            variants = "".join(f", `{name}`" for name in entry.card.variants)
            rows.append(
                f"| `{entry.name}`{variants} | {entry.card.num_params:,} | {entry.card.chapter} | {reference(entry)} |"
            )
    rows += ["", "| kind | names |", "|---|---|"]
    rows.append(f"| optimizers | {names(catalogue.optimizers.entries())} |")
    rows.append(f"| callbacks | {names(catalogue.callbacks.entries())} |")
    for kind, tag in (("embedded", "embedded"), ("by TensorFlow Datasets", "tfds"), ("your own files", "own")):
        chosen = [each for each in catalogue.datasets.entries(tag=tag) if tag == "own" or "own" not in each.card.tags]
        rows.append(f"| datasets, {kind} | {names(chosen)} |")
    return "\n".join(rows) + "\n"


def names(entries: list[Entry]) -> str:
    """Names in a row."""
    return ", ".join(f"`{entry.name}`" for entry in entries)


def reference(entry: Entry) -> str:
    """What the first recipe that states a result reaches."""
    for data, recipe in entry.card.recipes.items():
        if recipe.reference is not None:
            stated = recipe.reference
            return f"{stated.metric.replace('test_', 'test ')} {stated.value:g} on `{data}`"
    return ""


def written(readme: str) -> str:
    """README with the tables between their marks."""
    before, _, rest = readme.partition(BEGIN)
    return before + BEGIN + "\n" + tables() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        README.write_text(written(README.read_text()))
    else:
        print(tables())
