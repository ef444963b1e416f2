"""The user's own table: a CSV file with a row of names, then numbers; one column is the target.

It is for tables that fit in memory; what does not is for `npz`.
"""

import csv
from pathlib import Path
from typing import Literal

import numpy as np

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets import _own
from fdl_zoo.errors import InvalidData
from fdl_zoo.reading import is_number

CARD = Card(tags=("own", "table"), ranges={"seed": "[0, inf)"})


def build(
    *,
    path: str | None = None,
    target: str | None = None,
    task: Literal["auto", "classification", "binary", "regression"] = "auto",
    normalize: bool = True,
    seed: int = 0,
) -> Dataset:
    """Loads a table.

    Args:
        path: The file.
        target: The target's column; None for the last one.
        task: What the target is; `auto` takes text and whole numbers for classes and other numbers for values.
        normalize: Whether each column gets mean 0 and deviation 1 over the training split.
        seed: Fixes which rows are for training, validation and testing.

    Raises:
        InvalidData: The file is missing or not of this form, a number is none, or the values cannot be used.
    """
    file = _own.existing(path, "csv")
    header, rows = _rows(file)
    if target is not None and target not in header:
        raise InvalidData(f"{file} has no column {target!r} for the target: its columns are {', '.join(header)}.")
    place = len(header) - 1 if target is None else header.index(target)
    columns = [index for index in range(len(header)) if index != place]
    raw = np.array([[_number(file, line, header[i], row[i]) for i in columns] for line, row in rows])
    y = _targets(file, header[place], [(line, row[place].strip()) for line, row in rows])
    names = tuple(header[index] for index in columns) if len({*header}) == len(header) else ()
    return _own.assembled(raw, *_own.targets(y, task, str(file)), normalize, seed, str(file), names)


def _rows(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and each row with its line in the file; blank lines are left out."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise InvalidData(f"{file} cannot be read: {error.strerror}; give a CSV file that can be opened.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(f"{file} cannot be read as CSV: {error}; save it as UTF-8 text with commas.") from error
    if len(header) < 2 or not rows:
        raise InvalidData(f"{file} cannot be used: it needs a row of at least two column names, and rows of values.")
    for line, row in rows:
        if len(row) != len(header):
            raise InvalidData(f"{file} cannot be used: line {line} has {len(row)} values for {len(header)} columns.")
    return header, rows


def _number(file: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InvalidData(
            f"{file} cannot be used: line {line}, column {column!r} has {text!r} in a number's place; "
            "correct it, or leave the column out."
        ) from None
    if not np.isfinite(value):
        raise InvalidData(f"{file} cannot be used: line {line}, column {column!r} is {text!r}; fill or leave it out.")
    return value


def _targets(file: Path, column: str, cells: list[tuple[int, str]]) -> np.ndarray:
    """Targets as numbers where all of them are, otherwise as text: names of classes.

    Raises:
        InvalidData: One is empty, or among values such as 0.5 one is no number: it would make a class of each value.
    """
    for line, text in cells:
        if not text:
            raise InvalidData(
                f"{file} cannot be used: line {line}, column {column!r} is empty, and it is the target; fill it, or"
                " leave the line out."
            )
    texts = [(line, text) for line, text in cells if not is_number(text)]
    if not texts:
        return np.array([float(text) for _, text in cells])
    if any(not float(text).is_integer() for _, text in cells if is_number(text)):
        _number(file, texts[0][0], column, texts[0][1])
    return np.array([text for _, text in cells])
