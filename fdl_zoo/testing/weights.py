"""Makes the weights on cards again by the commands that stand there: `python -m fdl_zoo.testing.weights [MODEL ...]`.

It says which files differ from what the commands give, and writes them only with `--write`; it then prints the lines
for the card. A plugin's author uses it likewise: write `Weights(file, "", metric, 0.0, command)` on the card, run it
with `--write`, and copy digest and value from what it prints.
"""

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from fdl_zoo import catalogue, weights
from fdl_zoo.entry import Entry
from fdl_zoo.errors import InvalidOption, ZooError
from fdl_zoo.testing.measure import metric_of

RUN = "from fdl_zoo.cli import main; main()"


def remake(entry: Entry, dataset: str, folder: Path) -> Path:
    """Train by the command of a card, in a process of its own, and save the model's last weights in float32.

    Args:
        entry: A model.
        dataset: The dataset that the weights are for, as its card names it.
        folder: An empty folder to work in; the run stays there.

    Returns:
        The new file.

    Raises:
        ZooError: The command does not begin with `fdl train`, or it fails; what it printed is shown.
    """
    program, *arguments = shlex.split(entry.card.weights[dataset].command)
    if program != "fdl" or arguments[:1] != ["train"]:
        raise InvalidOption(f"The weights {dataset} of {entry.name} cannot be made by {program!r}: write `fdl train`.")
    command = [sys.executable, "-c", RUN, *arguments, "--no-tracking", "--quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ZooError(f"The weights {dataset} of {entry.name} cannot be made: {done.stderr.strip()}")
    (checkpoint,) = folder.glob("mlruns/runs/*/checkpoints/last.keras")
    keras.utils.set_random_seed(0)  # states of generators are in the file: the same bytes each time
    model = catalogue.create_model(entry.name, **_shape(entry, dataset), weights=str(checkpoint))
    path = folder / Path(entry.card.weights[dataset].file).name
    model.save_weights(path)
    return path


def _shape(entry: Entry, dataset: str) -> dict:
    """The shape and the options of the model on this dataset."""
    card, recipe = catalogue.datasets.find(dataset).card, entry.card.recipe(dataset)
    shape = {"input_shape": card.input_shape, "num_outputs": card.num_outputs}
    return {**shape, **dict((recipe and recipe.model) or {})}


def same(path: Path, other: Path) -> bool:
    """Whether two files hold the same arrays, bit for bit."""
    mine, theirs = weights.arrays(path), weights.arrays(other)
    return mine.keys() == theirs.keys() and all(np.array_equal(each, theirs[name]) for name, each in mine.items())


def compare(entry: Entry, dataset: str, write: bool) -> bool:
    """Make the weights of one card again and report; whether the file holds the same arrays afterwards."""
    path = entry.folder / entry.card.weights[dataset].file
    with tempfile.TemporaryDirectory() as folder:
        made = remake(entry, dataset, Path(folder))
        if path.is_file() and same(made, path):
            print(f"{entry.name}, {dataset}: the same weights, bit for bit")
            return True
        if not write:
            print(f"{entry.name}, {dataset}: {'other weights' if path.is_file() else 'no file yet'} at {path}")
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.read_bytes())
    print(f"{entry.name}, {dataset}: written to {path}\n{_line(entry, dataset, path)}")
    return True


def _line(entry: Entry, dataset: str, path: Path) -> str:
    """What belongs on the card."""
    stated = entry.card.weights[dataset]
    model = catalogue.create_model(entry.name, **_shape(entry, dataset), weights=str(path))
    value = metric_of(model, catalogue.load_dataset(dataset), stated.metric)
    return f"    sha256 {weights.digest(path)}\n    {stated.metric} {value:.4f}, {path.stat().st_size / 1024:.0f} KiB"


def main(arguments: Sequence[str]) -> int:
    """Compare the weights of the named models, or of all; 1 if some differ and were not written."""
    write = "--write" in arguments
    names = [each for each in arguments if each != "--write"]
    entries = [catalogue.models.find(name) for name in names] or catalogue.models.entries()
    outcomes = [compare(entry, dataset, write) for entry in entries for dataset in entry.card.weights]
    if not all(outcomes):
        print("Nothing is written. If the change is meant, say so with --write.")
    return int(not all(outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
