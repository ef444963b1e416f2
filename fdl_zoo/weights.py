"""Trained weights: found on a card or in a file, checked, and put into a model that is not compiled yet.

A file is what `model.save_weights` writes (`.weights.h5`) or a `.keras` file, of which only the numbers are read: no
code of it runs, and nothing in it decides what is built. Where only the output layer differs in size, as for a dataset
with other classes, that layer keeps its fresh weights; any other difference is refused.
"""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdl_zoo.card import Weights
from fdl_zoo.entry import Entry, normalise
from fdl_zoo.errors import InvalidData, InvalidOption

SUFFIXES = (".weights.h5", ".keras")
MEMBER = "model.weights.h5"  # where a .keras file keeps its weights
LARGEST_GROWTH = 10  # of a member over its file: Keras does not compress, so more is an attack


@dataclass(frozen=True)
class Loaded:
    """What was put into a model.

    Args:
        sha256: The digest of the file.
        replaced: The name of the output layer that was of another size and stays fresh; empty where all were loaded.
        note: The same in a sentence for the user; empty likewise.
    """

    sha256: str
    replaced: str = ""
    note: str = ""


def stated(entry: Entry, name: str) -> tuple[str, Weights] | None:
    """The weights that an entry's card has for a dataset, with the dataset's name as the card writes it; or None."""
    for dataset, found in entry.card.weights.items():
        if normalise(dataset) == normalise(name):
            return dataset, found
    return None


def names_a_file(text: str) -> bool:
    """Whether a text means a file and not a name: by its ending, or because the file is there."""
    return text.endswith((*SUFFIXES, ".h5")) or Path(text).is_file()


def file_of(entry: Entry, name: str) -> Path:
    """The file that `weights="digits"` means: the card's for this dataset, whole and unaltered, or the user's own.

    Raises:
        InvalidOption: The card has no weights of this name, and it is no file.
        InvalidData: The file is missing, or is not the one that the card describes.
    """
    found = stated(entry, name)
    if found is None and names_a_file(name):
        return readable(Path(name).expanduser())
    if found is None:
        raise InvalidOption(f"There are no weights {name!r} of {entry.name}: {choices(entry)}, or name a file.")
    path = entry.folder / found[1].file
    if not path.is_file():
        raise InvalidData(f"The weights {found[0]} of {entry.name} cannot be loaded: {path} is missing; reinstall it.")
    if digest(path) != found[1].sha256:
        raise InvalidData(
            f"The weights {found[0]} of {entry.name} cannot be loaded: {path} is damaged or altered, its SHA-256 is not"
            " that of the card; reinstall it."
        )
    return path


def choices(entry: Entry) -> str:
    """What the card offers, for a message."""
    names = ", ".join(entry.card.weights)
    return f"its card has those for {names}" if names else "its card has none"


def readable(path: Path) -> Path:
    """The path, if weights can be read from such a file.

    Raises:
        InvalidData: It is missing or of another kind.
    """
    if not path.is_file():
        raise InvalidData(f"The weights {path} cannot be loaded: there is no such file.")
    if not path.name.endswith(SUFFIXES):
        raise InvalidData(f"The weights {path} cannot be loaded: give a {' or a '.join(SUFFIXES)} file.")
    return path


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load(model: Any, path: Path, label: str = "") -> Loaded:
    """Put the weights of a file into a model that is built and not compiled.

    States of random generators are left as they are: they belong to the run, not to what was learned.

    Args:
        model: A `keras.Model`.
        path: A `.weights.h5` or `.keras` file.
        label: What a message calls the weights; the file's path by default.

    Raises:
        InvalidData: The file is damaged, holds values that are not finite, or does not fit the model.
    """
    import h5py

    label = label or str(path)
    with tempfile.TemporaryDirectory() as folder:
        mine = Path(folder) / "model.weights.h5"
        model.save_weights(mine)
        try:
            with _opened(readable(path)) as theirs, h5py.File(mine, "r+") as target:
                loaded = _copy(model, theirs, target, label)
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
            cause = str(error).strip().partition("\n")[0]
            raise InvalidData(f"The weights {label} cannot be loaded: the file is damaged ({cause}).") from error
        model.load_weights(mine)
    return Loaded(digest(path), *loaded)


def arrays(path: Path) -> dict[str, Any]:
    """Every array of a file by its path there, without the states of random generators."""
    with _opened(readable(path)) as opened:
        return {name: each[()] for name, each in _arrays(opened).items()}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The HDF5 file of the weights."""
    import h5py

    if path.suffix != ".keras":
        with h5py.File(path, "r") as opened:
            yield opened
        return
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        if archive.getinfo(MEMBER).file_size > LARGEST_GROWTH * path.stat().st_size:
            raise ValueError(f"{MEMBER} grows beyond all measure")
        with h5py.File(archive.extract(MEMBER, folder), "r") as opened:  # read whole, so its checksum is compared
            yield opened


def _copy(model: Any, theirs: Any, target: Any, label: str) -> tuple[str, str]:
    """Copies every array of the target from the other file; the name of a head that stays fresh, and a sentence."""
    import numpy as np

    here, there = _arrays(target), _arrays(theirs)
    tops = {path.partition("/")[0] for path in here}
    if here.keys() != {path for path in there if path.partition("/")[0] in tops}:
        layers = [
            ", ".join(dict.fromkeys(_layer(file, path) for path in paths))
            for file, paths in ((theirs, [path for path in there if path.partition("/")[0] in tops]), (target, here))
        ]
        raise InvalidData(
            f"The weights {label} do not fit {model.name}: they are of the layers {layers[0] or 'none'}, and the model"
            f" has {layers[1]}; {_ADVICE}."
        )
    head = _head(model, target)
    differing = [path for path in here if here[path].shape != there[path].shape]
    fresh = head is not None and any(path.startswith(head + "/") for path in differing)
    for path in here:
        if fresh and path.startswith(f"{head}/"):
            continue
        if path in differing:
            raise InvalidData(
                f"The weights {label} do not fit {model.name}: {_layer(target, path)} has a weight of shape"
                f" {list(there[path].shape)} there and {list(here[path].shape)} here; {_ADVICE}."
            )
        values = there[path][()]
        if not np.isfinite(values).all():
            raise InvalidData(
                f"The weights {label} cannot be loaded: {_layer(target, path)} has values that are not finite."
            )
        here[path][...] = values
    if not fresh:
        return "", ""
    name = _layer(target, f"{head}/vars/0")
    sizes = [each.shape[-1] for each in (there[f"{head}/vars/0"], here[f"{head}/vars/0"])]
    return name, f"the layer {name} is new: it has {sizes[0]} outputs in the weights {label} and {sizes[1]} here"


_ADVICE = "take the options and the input shape that they were trained with"


def _arrays(file: Any) -> dict[str, Any]:
    """The arrays of an HDF5 file by path, without the states of random generators and of what is no layer.

    Only what lies in the file itself: links to other files are not followed.
    """
    import h5py

    found = {}

    def visit(path: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset) and "seed_generator" not in path.split("/"):
            if each.external or each.is_virtual:
                raise ValueError(f"{path} lies in another file")
            found[path] = each

    file.visititems(visit)
    return found


def _head(model: Any, target: Any) -> str | None:
    """The path of the output layer: the last one with weights."""
    layers = [layer for layer in getattr(model, "layers", ()) if layer.weights]
    if not layers:
        return None
    paths = []

    def visit(path: str, each: Any) -> None:
        if path.endswith("/vars") and each.attrs.get("name") == layers[-1].name:
            paths.append(path.removesuffix("/vars"))

    target.visititems(visit)
    return min(paths, key=len, default=None)


def _layer(file: Any, path: str) -> str:
    """The name of the layer that an array belongs to."""
    parts = path.split("/")
    top = "/".join(parts[:2])
    name = file[f"{top}/vars"].attrs.get("name") if f"{top}/vars" in file else None
    return str(name or top)
