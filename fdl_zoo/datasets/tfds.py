"""Any classification set of TensorFlow Datasets with one image or vector and one label per example.

`tfds/NAME` names it wherever a dataset is named. What is too large for memory is read from disk at random. Where it has
no test split, a tenth of the training split takes its place.
"""

from typing import Literal

import numpy as np
import tensorflow_datasets

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, split_indices
from fdl_zoo.datasets import _tfds
from fdl_zoo.datasets._augment import augmented
from fdl_zoo.datasets._stored import fitted
from fdl_zoo.errors import InvalidData

CARD = Card(
    task="classification",
    tags=("tfds", "own"),
    capabilities=("family",),  # `tfds/NAME` is this dataset with `source` NAME
    ranges={"image_size": "[1, inf)", "seed": "[0, inf)"},
)


def build(
    *,
    source: str = "mnist:3.0.1",
    image_size: tuple[int, ...] | None = None,
    augment: tuple[Literal["flip", "shift", "brightness"], ...] = (),
    data_dir: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Loads a set; bytes become 0 to 1, other numbers get mean 0 and deviation 1 over the training split.

    Args:
        source: Name, configuration and version, `mnist:3.0.1` or `emnist/letters`; the newest prepared version if none.
        image_size: Height and width to which every image is brought; needed where they differ.
        augment: Changes made to training images, anew in each epoch.
        data_dir: The folder in which TensorFlow Datasets keeps prepared sets.
        seed: Fixes which training examples are for validation, and the changes.

    Raises:
        InvalidData: It is neither prepared nor reachable, or is of another form.
    """
    prepared = _tfds.builder(f"tfds:{source}", data_dir)
    feature, label, class_names = _features(prepared, source, image_size)
    if "train" not in prepared.info.splits:
        raise InvalidData(f"{source} cannot be used: it has the splits {', '.join(prepared.info.splits)}, no train.")
    size = None if image_size is None else (image_size[0], image_size[1])
    parts = [
        _tfds.inputs_and_labels(prepared, part, feature, label, size)
        for part in ("train", "test")
        if part in prepared.info.splits
    ]
    (raw, labels), rows = parts[0], _rows(len(parts[0][1]), len(parts) == 2, seed)
    normalization = _tfds.PIXELS if raw.dtype == np.uint8 else fitted(raw, rows[0])
    splits = [_tfds.split_of(raw, labels, each, normalization) for each in rows]
    if len(parts) == 2:
        splits.append(_tfds.split_of(*parts[1], np.arange(len(parts[1][1])), normalization))
    shape = tuple(raw.shape[1:])
    data = Dataset(*splits, shape, len(class_names), "classification", class_names, normalization)
    return augmented(data, augment, seed)


def _rows(count: int, has_test: bool, seed: int) -> tuple[np.ndarray, ...]:
    """Which training examples are for training and validation, and for testing where there is no test split."""
    return tuple(_tfds.held_out(count, seed, 10) if has_test else split_indices(count, seed))


def _features(
    prepared: tensorflow_datasets.core.DatasetBuilder, source: str, image_size: tuple[int, ...] | None
) -> tuple[str, str, tuple[str, ...]]:
    """The names of input and label among the set's features, and the classes.

    Raises:
        InvalidData: There is not one of each, inputs differ in shape and no size is given, or they are no images.
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
    shape = features[inputs[0]].shape
    image = len(shape) == 3 and shape[-1] is not None and features[inputs[0]].np_dtype == np.uint8
    if image_size is not None and (not image or len(image_size) != 2):
        raise InvalidData(
            f"image_size cannot be {list(image_size)} for {source}, whose examples are {list(shape)}: give height and"
            " width for images."
        )
    if None in shape and image_size is None:
        advice = "give the size that images are brought to with --set data.image_size=[64,64]"
        raise InvalidData(
            f"{source} cannot be used as it is: its examples differ in shape {list(shape)}; "
            f"{advice if image else 'this dataset takes examples of one shape'}."
        )
    return inputs[0], labels[0], tuple(features[labels[0]].names)
