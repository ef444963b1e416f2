"""Reads what a user wants predicted: images, `.npy` arrays and CSV tables become raw examples of a model's shape.

Arrays and tables are in the raw units of the training set (bytes of pixels, centimetres, ...), as what is served takes
them; images are brought to them by `artifacts.images`.
"""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fdl_zoo.artifacts.images import SUFFIXES, Images
from fdl_zoo.errors import InvalidData
from fdl_zoo.reading import is_number


class Example(NamedTuple):
    """One example.

    Args:
        label: The file, with a number in brackets where it holds several.
        raw: Its values, of the model's shape.
    """

    label: str
    raw: np.ndarray


def read_file(
    path: Path,
    shape: tuple[int | None, ...],
    images: Images | None,
    invert: bool | None,
    feature_names: tuple[str, ...] = (),
) -> list[Example]:
    """The examples of a file.

    Args:
        path: An image, `.npy` [examples, ...] or one example, or `.csv`.
        shape: That of one example; None where any length will do.
        images: What training images have in common; None where the model takes no images.
        invert: Of images: whether black and white change places.
        feature_names: The columns of the table that the model was trained on, by which those of a table are found.

    Raises:
        InvalidData: It cannot be read, or does not fit the shape; the message names the file.
    """
    if not path.is_file():
        raise InvalidData(f"{path} cannot be predicted: there is no such file.")
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        if images is None:
            raise InvalidData(f"{path} cannot be predicted: this model takes examples of shape {shape}, not images.")
        return [Example(str(path), images.read(path, shape, invert))]
    if suffix == ".npy":
        return _several(path, _array(path), shape)
    if suffix == ".csv":
        return _several(path, _table(path, shape, feature_names), shape)
    raise InvalidData(f"{path} cannot be predicted: give an image ({', '.join(SUFFIXES)}), a .npy or a .csv file.")


def _array(path: Path) -> np.ndarray:
    try:
        with open(path, "rb") as file:
            found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        what = "it holds objects (a pickle)" if "pickle" in str(error).lower() else "it is damaged, or no .npy file"
        raise InvalidData(
            f"{path} cannot be predicted: {what}; write it with np.save from an array of numbers."
        ) from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiub":
        raise InvalidData(f"{path} cannot be predicted: it holds no numbers; write it with np.save.")
    return found


def _several(path: Path, values: np.ndarray, shape: tuple[int | None, ...]) -> list[Example]:
    """One example, or many along the first axis; a single channel may be left out, and rows may be flat."""
    for several in (values, values[None]):
        for candidate in (several, several[..., None], _unflattened(several, shape)):
            if candidate is not None and _fits(candidate.shape[1:], shape):
                require_finite(str(path), candidate)
                single = several is not values and len(candidate) == 1
                names = [str(path)] if single else [f"{path}[{index}]" for index in range(len(candidate))]
                return [Example(name, np.asarray(raw)) for name, raw in zip(names, candidate, strict=True)]
    raise InvalidData(
        f"{path} cannot be predicted: it has the shape {values.shape}, and this model takes examples of shape"
        f" {tuple('any' if size is None else size for size in shape)}."
    )


def require_finite(what: str, values: np.ndarray) -> None:
    """Refuses numbers that are none: a model would answer them like any other, and with confidence.

    Args:
        what: What holds them.
        values: They; what is no array of numbers is left alone.

    Raises:
        InvalidData: There is NaN or infinity among them.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InvalidData(f"{what} cannot be predicted: it has NaN or infinity in it.")


def _fits(given: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(given) == len(shape) and all(b in (None, a) for a, b in zip(given, shape, strict=True))


def _unflattened(values: np.ndarray, shape: tuple[int | None, ...]) -> np.ndarray | None:
    """Rows [examples, values] in the model's shape, where their number is right."""
    if values.ndim != 2 or None in shape or values.shape[1] != int(np.prod([size or 0 for size in shape])):
        return None
    return values.reshape(len(values), *(size or 0 for size in shape))


def _table(path: Path, shape: tuple[int | None, ...], feature_names: tuple[str, ...]) -> np.ndarray:
    """A CSV file's numbers [rows, columns]: those columns that the model was trained on, if both have their names.

    Without names columns go by their places; a last column too many is left out, as is a first line of names.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(f"{path} cannot be read as CSV: {error}; save it as UTF-8 text with commas.") from error
    first = 1
    header = [cell.strip() for cell in rows[0]] if rows else []
    if (feature_names and {*feature_names} <= {*header}) or not all(is_number(cell) for cell in header):
        rows, first = rows[1:], 2
    if not rows or len({len(row) for row in rows}) != 1:
        raise InvalidData(f"{path} cannot be predicted: it needs rows of equally many numbers.")
    if feature_names and first == 2:
        rows = _columns(path, header, rows, feature_names)
    expected = None if None in shape else int(np.prod([size or 0 for size in shape]))
    if expected is not None and len(rows[0]) == expected + 1:  # the target, as in a table for training
        rows = [row[:-1] for row in rows]
    values: list[Any] = []
    for number, row in enumerate(rows, first):
        wrong = next((cell for cell in row if not is_number(cell)), None)
        if wrong is not None:
            raise InvalidData(f"{path} cannot be predicted: row {number} has {wrong!r} in a number's place.")
        values.append([float(cell) for cell in row])
    return np.array(values)


def _columns(path: Path, header: list[str], rows: list[list[str]], names: tuple[str, ...]) -> list[list[str]]:
    """The columns of these names, in this order."""
    if len(header) != len(rows[0]):
        raise InvalidData(f"{path} cannot be predicted: it has {len(header)} column names and rows of {len(rows[0])}.")
    missing = [name for name in names if name not in header]
    if missing:
        raise InvalidData(
            f"{path} cannot be predicted: it has no column {missing[0]!r}; the model was trained on"
            f" {', '.join(names)}, and this file has {', '.join(header)}."
        )
    places = [header.index(name) for name in names]
    return [[row[place] for place in places] for row in rows]
