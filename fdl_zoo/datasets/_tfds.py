"""Sets of TensorFlow Datasets, read from disk where they are prepared and fetched only after a probe of the network."""

from collections.abc import Mapping

import numpy as np
import tensorflow_datasets as tfds

from fdl_zoo.availability import parse_source, prepared_folder, require
from fdl_zoo.data import Dataset, Normalization, Split

PIXELS = Normalization(0, 255)


def builder(source: str, data_dir: str | None = None) -> tfds.core.DatasetBuilder:
    """The prepared builder of a source; one that is missing is prepared if its server answers.

    A prepared set is read from its own metadata: TFDS's named builders ask a server for theirs and retry for minutes.

    Raises:
        InvalidData: It is neither prepared nor reachable.
    """
    if require(source, data_dir) == "prepared":
        return tfds.builder_from_directory(prepared_folder(source, data_dir))
    name, version = "/".join(parse_source(source)[:-1]), parse_source(source)[-1]
    missing = tfds.builder(f"{name}:{version}", data_dir=data_dir)
    missing.download_and_prepare()
    return missing


def arrays(prepared: tfds.core.DatasetBuilder, split: str) -> Mapping[str, np.ndarray]:
    """A whole split as one NumPy array per feature [examples, ...], in the order of its files."""
    config = tfds.ReadConfig(interleave_cycle_length=1)
    batches = list(tfds.as_numpy(prepared.as_dataset(split=split, read_config=config).batch(1024)))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def held_out(count: int, seed: int, share: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and validation: a seeded permutation of which one in `share` is for validation."""
    order = np.random.default_rng(seed).permutation(count)
    return np.split(order, [count - max(1, count // share)])


def images(source: str, data_dir: str | None, seed: int, share: int, class_names: tuple[str, ...]) -> Dataset:
    """A set of images with labels as a Dataset: TFDS's test split is the test split, validation is cut from training.

    Args:
        source: A card's source.
        data_dir: The folder in which TFDS keeps prepared sets.
        seed: Fixes which examples are for validation.
        share: One training example in `share` is for validation.
        class_names: A name per label.
    """
    prepared = builder(source, data_dir)
    train, test = arrays(prepared, "train"), arrays(prepared, "test")
    fitted, chosen = held_out(len(train["label"]), seed, share)

    def split(part: Mapping[str, np.ndarray], indices: np.ndarray | slice) -> Split:
        return Split(PIXELS(part["image"][indices]), part["label"][indices].astype(np.int64))

    return Dataset(
        split(train, fitted),
        split(train, chosen),
        split(test, slice(None)),
        tuple(train["image"].shape[1:]),  # [height, width, channels]
        len(class_names),
        "classification",
        class_names,
        PIXELS,
    )
