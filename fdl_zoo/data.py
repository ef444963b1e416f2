"""Dataset, Split, Normalization and the callbacks' Context: plain holders that need NumPy and nothing else."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo.errors import InvalidData


class Split:
    """One part of a dataset, read at random: `len(split)` examples, `take(indices)` gives their inputs and targets.

    A part in memory has the arrays `.x` [examples, ...] and `.y` [examples, ...]. A part on disk subclasses this,
    overrides `__len__` and `take`, and leaves `.x` and `.y` None.
    """

    x: np.ndarray | None = None
    y: np.ndarray | None = None

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        if len(x) != len(y):
            raise InvalidData(f"A split cannot have {len(x)} inputs and {len(y)} targets: give one target per input.")
        self.x, self.y = np.asarray(x), np.asarray(y)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def known_targets(self) -> np.ndarray | None:
        """The targets [examples, ...] as far as they are in memory; a part may know them whose inputs are on disk."""
        return self.y

    def take(self, indices: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The examples at `indices` [n]: inputs [n, ...] and targets [n, ...], in this order.

        Args:
            indices: Which examples.
            epoch: Counted from 0; a part whose examples change from epoch to epoch draws from it and the index only.
        """
        return self.x[indices], self.y[indices]

    def digest(self, block: int = 4096) -> str:
        """SHA-256 of every value, with types and shapes, read in blocks so that memory stays constant."""
        sha = hashlib.sha256()
        for start in range(0, len(self), block):
            for array in self.take(np.arange(start, min(start + block, len(self)))):
                sha.update(f"{array.dtype}{array.shape}".encode())
                sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


@dataclass(frozen=True)
class Normalization:
    """How raw units became a model's inputs, `x = (raw - mean) / scale`; what is exported applies it to raw units.

    Args:
        mean: A number, or an array that broadcasts against one example.
        scale: Likewise; never zero.
    """

    mean: Any = 0.0
    scale: Any = 1.0

    @classmethod
    def fit(cls, raw: np.ndarray) -> "Normalization":
        """Mean and deviation per feature of the training split [examples, features]; 1 where it is constant."""
        deviation = raw.std(axis=0, dtype=np.float64)
        return cls(raw.mean(axis=0, dtype=np.float64), np.where(deviation > 0, deviation, 1.0))

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """Raw values [..., *example] as float32 inputs of the same shape."""
        inputs = np.subtract(raw, self.mean, dtype=np.float64)
        inputs /= self.scale  # in place: a batch from disk takes no more memory than it must
        return inputs.astype(np.float32)

    def invert(self, x: np.ndarray) -> np.ndarray:
        """Inputs [..., *example] as float32 raw values of the same shape."""
        return (np.asarray(x, np.float64) * self.scale + self.mean).astype(np.float32)


@dataclass(frozen=True)
class Dataset:
    """Three splits that never overlap, and what a model must know of them.

    Args:
        train: What weights are fitted to.
        validation: What choices are made on.
        test: What is reported.
        input_shape: Shape of one example, without the batch axis.
        num_outputs: Number of logits or values that a model must give per example.
        task: `classification`, `binary`, `regression` or `objective`.
        class_names: A name per class, by index; empty where there are none.
        normalization: How raw units became `x`.
        feature_names: A name per feature of an example that is a row of a table; empty elsewhere.
    """

    train: Split
    validation: Split
    test: Split
    input_shape: tuple[int, ...]
    num_outputs: int
    task: str
    class_names: tuple[str, ...] = ()
    normalization: Normalization = Normalization()
    feature_names: tuple[str, ...] = ()

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def digest(self) -> str:
        """SHA-256 over the digests of the three splits, for which all data are read once."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256("".join(split.digest() for split in self.splits.values()).encode()).hexdigest()


def split_indices(count: int, seed: int, fractions: tuple[float, float] = (0.1, 0.1)) -> tuple[np.ndarray, ...]:
    """Indices of train, validation and test: a seeded permutation of `count` examples, cut so that none overlap.

    Args:
        count: Number of examples.
        seed: The same seed gives the same splits, on every machine.
        fractions: Shares of validation and test; the rest is for training.

    Raises:
        InvalidData: A part would be empty.
    """
    validation, test = (round(count * fraction) for fraction in fractions)
    if min(validation, test, count - validation - test) < 1:
        raise InvalidData(f"{count} examples cannot be split: each of train, validation and test needs at least one.")
    order = np.random.default_rng(seed).permutation(count)
    return np.split(order, [count - validation - test, count - test])


@dataclass(frozen=True)
class Context:
    """What a callback may know of the run that it serves; in plain Keras a callback gets None instead.

    Args:
        model: The `keras.Model` in training.
        data: Its `Dataset`.
        tracker: Where figures and files of the run go; a null tracker when tracking is off.
        folder: The run's folder.
        spec: The resolved `RunSpec`.
        run_id: The tracking store's id of the run, or the run's name when tracking is off.
    """

    model: Any
    data: Dataset
    tracker: Any
    folder: Path
    spec: Any
    run_id: str
