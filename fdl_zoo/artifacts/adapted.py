"""Another dataset in the raw units and classes of the one that a model was trained on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fdl_zoo.artifacts.interface import Interface, model_inputs, raw_units
from fdl_zoo.data import Dataset, Split
from fdl_zoo.errors import InvalidData


class _Adapted(Split):
    """A split whose inputs are made anew of raw units and whose classes are renumbered."""

    def __init__(self, part: Split, renew: Callable[[np.ndarray], np.ndarray], classes: np.ndarray | None) -> None:
        self.part, self.renew, self.classes = part, renew, classes

    def __len__(self) -> int:
        return len(self.part)

    def take(self, indices: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        x, y = self.part.take(indices, epoch)
        return self.renew(x), y if self.classes is None else self.classes[y]


class _Joined(Split):
    """Several splits one after the other."""

    def __init__(self, parts: list[Split]) -> None:
        self.parts = parts
        self.starts = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, indices: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        indices = np.asarray(indices)
        owners = np.searchsorted(self.starts, indices, side="right") - 1
        x: list[Any] = [None] * len(indices)
        y: list[Any] = [None] * len(indices)
        for owner in np.unique(owners):
            places = np.flatnonzero(owners == owner)
            inputs, targets = self.parts[owner].take(indices[places] - self.starts[owner])
            for place, one, target in zip(places, inputs, targets, strict=True):
                x[place], y[place] = one, target
        return np.stack(x), np.stack(y)


def joined(data: Dataset) -> Dataset:
    """The dataset with all its examples as the test split."""
    return replace(data, test=_Joined([*data.splits.values()]))


def adapted(data: Dataset, name: str, model: Any, interface: Interface) -> Dataset:
    """The dataset as the model's training set would have it: raw units are normalized as they were then.

    Args:
        data: Another dataset.
        name: Its name, for messages.
        model: The model.
        interface: What is known of its training set. Classes are matched by their names.

    Raises:
        InvalidData: Shape, columns, task or classes differ; the message has both.
    """
    columns = _columns(data, name, interface)
    expected, shape = tuple(model.inputs[0].shape[1:]), tuple(data.input_shape)
    if columns is not None:
        shape = (*shape[:-1], len(columns))
    if len(expected) != len(shape) or any(
        size not in (None, given) for size, given in zip(expected, shape, strict=True)
    ):
        raise InvalidData(
            f"The model cannot be evaluated on {name}: it takes examples of shape {expected}, and these are {shape}."
        )
    if data.task != interface.task:
        raise InvalidData(
            f"The model cannot be evaluated on {name}: it is for {interface.task}, and these data for {data.task}."
        )
    classes = _renumbered(data, name, interface)

    def renew(x: np.ndarray) -> np.ndarray:
        raw = raw_units(data, x)
        return model_inputs(model, interface.normalization, raw if columns is None else raw[..., columns])

    parts = {split: _Adapted(part, renew, classes) for split, part in data.splits.items()}
    names = interface.class_names or data.class_names
    outputs = model.outputs[0].shape[-1]
    about = {"class_names": names, "num_outputs": outputs, "normalization": interface.normalization}
    if columns is not None:
        about |= {"input_shape": shape, "feature_names": interface.feature_names}
    return replace(data, **parts, **about)


def _columns(data: Dataset, name: str, interface: Interface) -> list[int] | None:
    """Where a table has each column that the model was trained on; None where these go by their places."""
    wanted, given = interface.feature_names, list(data.feature_names)
    if not wanted or not given:
        return None
    missing = [each for each in wanted if each not in given]
    if missing:
        raise InvalidData(
            f"The model cannot be evaluated on {name}: there is no column {missing[0]!r} among its features, which are"
            f" {', '.join(given[:10])}{', ...' if len(given) > 10 else ''}."
        )
    return [given.index(each) for each in wanted]


def _renumbered(data: Dataset, name: str, interface: Interface) -> np.ndarray | None:
    """The model's index of each of the dataset's classes; None where they are the same."""
    known, given = list(interface.class_names), list(data.class_names)
    if given == known or not given or not known:
        return None
    unknown = [each for each in given if each not in known]
    if unknown:
        raise InvalidData(
            f"The model cannot be evaluated on {name}: its class {unknown[0]!r} is none of the model's, which are"
            f" {', '.join(known[:10])}{', ...' if len(known) > 10 else ''}."
        )
    return np.array([known.index(each) for each in given])
