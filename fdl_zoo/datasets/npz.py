"""The user's own arrays: a NumPy file `.npz` with the arrays `x` [examples, ...] and `y` [examples, ...].

A file of more than one gigabyte that `np.savez` wrote is read from disk a batch at a time; a compressed one, or one
stored column by column, is read into memory.
"""

import zipfile
from pathlib import Path
from typing import Literal

import numpy as np

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets import _own
from fdl_zoo.datasets._stored import Stored, array_in
from fdl_zoo.errors import InvalidData

CARD = Card(tags=("own",), ranges={"seed": "[0, inf)"})
IN_MEMORY = 2**30  # a file of more bytes stays on disk


def build(
    *,
    path: str | None = None,
    task: Literal["auto", "classification", "binary", "regression"] = "auto",
    normalize: bool = True,
    seed: int = 0,
) -> Dataset:
    """Loads a file that `np.savez` wrote.

    Args:
        path: The file.
        task: What `y` is; `auto` takes text and whole numbers for classes and other numbers for values.
        normalize: Whether bytes become 0 to 1, and other numbers get mean 0 and deviation 1 over the training split.
        seed: Fixes which examples are for training, validation and testing.

    Raises:
        InvalidData: The file is missing, damaged or not of this form, or its values cannot be used.
    """
    file = _own.existing(path, "npz")
    x, y = _arrays(file)
    if x.dtype.kind not in "fiub" or x.ndim < 2:
        raise InvalidData(f"{file} cannot be used: x is {x.dtype} {list(x.shape)}; give numbers [examples, ...].")
    if y.ndim == 0 or len(x) != len(y):
        targets = "a single value" if y.ndim == 0 else f"{len(y)} targets"
        raise InvalidData(f"{file} cannot be used: it has {len(x)} examples in x and {targets} in y.")
    return _own.assembled(x, *_own.targets(y, task, str(file)), normalize, seed, str(file))


def _arrays(file: Path) -> tuple[np.ndarray | Stored, np.ndarray]:
    if not zipfile.is_zipfile(file):  # NumPy would read a single array as well
        with file.open("rb") as stream:
            why = "its end is missing" if stream.read(2) == b"PK" else "no arrays by name are in it"
        raise InvalidData(f"{file} cannot be read as .npz: {why}; write it with np.savez(path, x=x, y=y).")
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            missing = [name for name in ("x", "y") if name not in getattr(stored, "files", ())]
            if missing:
                known = ", ".join(getattr(stored, "files", ())) or "none"
                raise InvalidData(f"{file} cannot be used: it lacks the array {missing[0]}; its arrays are: {known}.")
            inputs = array_in(file, "x") if file.stat().st_size > IN_MEMORY else None
            return stored["x"] if inputs is None else inputs, stored["y"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidData(f"{file} cannot be read as .npz: {error}; write it with np.savez(path, x=x, y=y).") from error
