"""Any classification set of TensorFlow Datasets with one image or vector and one label per example.

Where it has no test split, a tenth of the training split takes its place.
"""

from typing import Literal

import numpy as np
import tensorflow_datasets

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Normalization, Split, split_indices
from fdl_zoo.datasets import _tfds
from fdl_zoo.datasets._augment import augmented
from fdl_zoo.datasets._mapped import fitted
from fdl_zoo.errors import InvalidData

CARD = Card(task="classification", tags=("tfds", "own"), ranges={"seed": "[0, inf)"})


def build(
    *,
    source: str = "mnist:3.0.1",
    augment: tuple[Literal["flip", "shift", "brightness"], ...] = (),
    data_dir: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Loads a set; bytes become 0 to 1, other numbers get mean 0 and deviation 1 over the training split.

    Args:
        source: Name, configuration if it has one, and version: `mnist:3.0.1`, `emnist/letters:3.1.0`.
        augment: Changes made to training images, anew in each epoch.
        data_dir: The folder in which TensorFlow Datasets keeps prepared sets.
        seed: Fixes which training examples are for validation, and the changes.

    Raises:
        InvalidData: It is neither prepared nor reachable, or is of another form.
    """
    if ":" not in source:
        raise InvalidData(f"The TFDS set {source!r} cannot be loaded without a version: write NAME:VERSION.")
    prepared = _tfds.builder(f"tfds:{source}", data_dir)
    image, label, class_names = _features(prepared, source)
    parts = {part: _tfds.arrays(prepared, part) for part in ("train", "test") if part in prepared.info.splits}
    if "train" not in parts:
        raise InvalidData(f"{source} cannot be used: it has the splits {', '.join(prepared.info.splits)}, no train.")
    rows = _rows(len(parts["train"][label]), "test" in parts, seed)
    x = parts["train"][image]
    pixels = x.dtype == np.uint8
    normalization = Normalization(0, 255) if pixels else fitted(x, rows[0])
    cut = [(parts["train"], each) for each in rows]
    if "test" in parts:
        cut.append((parts["test"], slice(None)))
    splits = [Split(normalization(part[image][each]), part[label][each].astype(np.int64)) for part, each in cut]
    data = Dataset(*splits, x.shape[1:], len(class_names), "classification", class_names, normalization)
    return augmented(data, augment, seed)


def _rows(count: int, has_test: bool, seed: int) -> tuple[np.ndarray, ...]:
    """Which training examples are for training and validation, and for testing where there is no test split."""
    return tuple(_tfds.held_out(count, seed, 10) if has_test else split_indices(count, seed))


def _features(prepared: tensorflow_datasets.core.DatasetBuilder, source: str) -> tuple[str, str, tuple[str, ...]]:
    """The names of input and label among the set's features, and the classes.

    Raises:
        InvalidData: There is not one of each, or inputs differ in shape.
    """
    features = prepared.info.features
    labels = [name for name, each in features.items() if isinstance(each, tensorflow_datasets.features.ClassLabel)]
    inputs = [name for name, each in features.items() if name not in labels and each.np_dtype != np.object_]
    inputs = [name for name in inputs if features[name].shape]  # no running numbers or names
    if len(labels) != 1 or len(inputs) != 1:
        raise InvalidData(
            f"{source} cannot be used: it has the features {', '.join(features)}, "
            "where one array and one class label are needed."
        )
    if None in features[inputs[0]].shape:
        raise InvalidData(
            f"{source} cannot be used: its examples differ in shape {features[inputs[0]].shape}; "
            "save them as images in one folder per class and use the dataset folder."
        )
    return inputs[0], labels[0], tuple(features[labels[0]].names)
