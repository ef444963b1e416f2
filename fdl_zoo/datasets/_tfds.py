"""Sets of TensorFlow Datasets, read from disk where they are prepared and fetched only after a probe of the network.

What does not fit into memory stays on disk: a set prepared as array_record is read there at random; of one in TFDS's
older format, which can only be read in order, a copy is written beside it once and read from there.
"""

import contextlib
import itertools
import logging
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from fdl_zoo.availability import prepared_folder, require
from fdl_zoo.data import Dataset, Normalization, Split
from fdl_zoo.datasets._stored import BLOCK, Stored, StoredSplit, opened, written
from fdl_zoo.errors import InvalidData

PIXELS = Normalization(0, 255)
IN_MEMORY = 2**30  # a split of more bytes as float32 stays on disk

_logger = logging.getLogger(__name__)


def builder(source: str, data_dir: str | None = None) -> tfds.core.DatasetBuilder:
    """The prepared builder of a source; one that is missing is prepared if its server answers.

    A prepared set is read from its own metadata: TFDS's named builders ask a server for theirs and retry for minutes.

    Raises:
        InvalidData: It is neither prepared nor reachable, TFDS does not know it, or its preparation fails.
    """
    if require(source, data_dir) == "prepared":
        return tfds.builder_from_directory(prepared_folder(source, data_dir))
    name, *version = source.removeprefix("tfds:").split(":")
    try:
        missing = tfds.builder(":".join([name, *version]), data_dir=data_dir, file_format="array_record")
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        cause = str(error).strip().partition("\n")[0]
        raise InvalidData(f"TFDS has no set {':'.join([name, *version])!r}: {cause}") from error
    try:
        with contextlib.redirect_stdout(sys.stderr):  # TFDS prints what it does, where a command prints its result
            missing.download_and_prepare()
    except (
        Exception
    ) as error:  # each set has its own: servers, checksums, files to be fetched by hand, missing packages
        cause = (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")
        raise InvalidData(
            f"{name} cannot be prepared: {cause}; prepare it where that works and name its folder with --data-dir."
        ) from error
    return missing


class Records:
    """The inputs of a split that is prepared as array_record, read at random: `records[rows]` is [n, ...]."""

    def __init__(self, source: Any, feature: str, size: tuple[int, int] | None, shape: tuple[int, ...], dtype: Any):
        """Remembers where they are.

        Args:
            source: TFDS's data source.
            feature: The name of the inputs among the features.
            size: Height and width to which images are brought; None leaves them.
            shape: Of one example, then.
            dtype: Of its values.
        """
        self.source, self.feature, self.size = source, feature, size
        self.shape, self.dtype, self.ndim = (len(source), *shape), np.dtype(dtype), 1 + len(shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The inputs of some rows, in their order."""
        found = self.source.__getitems__([int(row) for row in np.asarray(rows)])
        return np.stack([resized(np.asarray(each[self.feature]), self.size) for each in found])


def resized(image: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """An image [height, width, channels] of bytes brought to a height and width."""
    if size is None or image.shape[:2] == tuple(size):
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    pixels = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def is_random_access(prepared: tfds.core.DatasetBuilder) -> bool:
    """Whether the set is stored in a format whose examples can be read in any order."""
    return prepared.info.file_format == tfds.core.FileFormat.ARRAY_RECORD


def blocks(
    prepared: tfds.core.DatasetBuilder, split: str, sizes: Mapping[str, tuple[int, int] | None] | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """The examples of a split in the order of its files, in blocks of one NumPy array per feature.

    Args:
        prepared: The set.
        split: The split's name.
        sizes: The features that are wanted, and the height and width to which each is brought; None for all.
    """
    wanted = dict.fromkeys(prepared.info.features) if sizes is None else sizes
    for block in _raw_blocks(prepared, split, wanted):
        yield {name: np.stack([resized(each, size) for each in block[name]]) for name, size in wanted.items()}


def _raw_blocks(
    prepared: tfds.core.DatasetBuilder, split: str, names: Iterable[str]
) -> Iterator[dict[str, list[np.ndarray] | np.ndarray]]:
    """Blocks of examples as they are stored; those that differ in shape as lists."""
    names = list(names)
    if is_random_access(prepared):
        source = prepared.as_data_source(split)
        for start in range(0, len(source), BLOCK):
            found = source.__getitems__(list(range(start, min(start + BLOCK, len(source)))))
            yield {name: [np.asarray(each[name]) for each in found] for name in names}
        return
    data = prepared.as_dataset(split=split, read_config=tfds.ReadConfig(interleave_cycle_length=1))
    data = data.map(lambda example: {name: example[name] for name in names})
    if not any(None in prepared.info.features[name].shape for name in names):
        yield from tfds.as_numpy(data.batch(BLOCK))
        return
    examples = iter(tfds.as_numpy(data))
    while found := list(itertools.islice(examples, BLOCK)):
        yield {name: [each[name] for each in found] for name in names}


def arrays(prepared: tfds.core.DatasetBuilder, split: str) -> Mapping[str, np.ndarray]:
    """A whole split as one NumPy array per feature [examples, ...], in the order of its files."""
    found = list(blocks(prepared, split))
    return {name: np.concatenate([block[name] for block in found]) for name in found[0]}


def inputs_and_labels(
    prepared: tfds.core.DatasetBuilder, split: str, feature: str, label: str, size: tuple[int, int] | None = None
) -> tuple[Any, np.ndarray]:
    """The raw inputs of a split [examples, ...] and its labels [examples] int64; many inputs stay on disk.

    Args:
        prepared: The set.
        split: The split's name.
        feature: The name of the inputs among the features.
        label: That of the labels.
        size: Height and width to which images are brought; needed where they differ.

    Raises:
        InvalidData: A copy is needed, and its place cannot be written.
    """
    described = prepared.info.features[feature]
    shape = tuple(described.shape) if size is None else (*size, described.shape[-1])
    count = prepared.info.splits[split].num_examples
    if 4 * count * math.prod(shape) <= IN_MEMORY:
        found = list(blocks(prepared, split, {feature: size, label: None}))
        x, y = (np.concatenate([block[name] for block in found]) for name in (feature, label))
        return x, y.astype(np.int64)
    if is_random_access(prepared):
        skipped = {feature: tfds.decode.SkipDecoding()} if hasattr(described, "encoding_format") else None
        labels = [each[label] for each in prepared.as_data_source(split, decoders=skipped)]
        records = Records(prepared.as_data_source(split), feature, size, shape, described.np_dtype)
        return records, np.array(labels, np.int64)
    return _copied(prepared, split, feature, label, size, count)


def _copied(
    prepared: tfds.core.DatasetBuilder, split: str, feature: str, label: str, size: tuple[int, int] | None, count: int
) -> tuple[Stored, np.ndarray]:
    """A copy on disk beside the prepared set, written at the first use, and the labels."""
    name = "-".join([split, *map(str, size or ())])
    folder = Path(prepared.data_dir) / "fdl_zoo"
    inputs, targets = folder / f"{name}-x.npy", folder / f"{name}-y.npy"
    if not (inputs.is_file() and targets.is_file()):
        _logger.warning(f"{prepared.info.name}: the split {split} is copied to {inputs} once, to be read at random.")
        labels = np.zeros(count, np.int64)

        def parted() -> Iterator[np.ndarray]:
            start = 0
            for block in blocks(prepared, split, {feature: size, label: None}):
                labels[start : start + len(block[label])] = block[label]
                start += len(block[label])
                yield block[feature]

        try:
            written(inputs, parted(), count)
            written(targets, iter([labels]), count)
        except OSError as error:
            raise InvalidData(
                f"{prepared.info.name} cannot be read at random: {error.strerror} at {folder}, where a copy is needed; "
                "make room there, or prepare the set as array_record."
            ) from error
    return opened(inputs), np.load(targets)


def split_of(raw: Any, labels: np.ndarray, rows: np.ndarray, normalization: Normalization) -> Split:
    """Some rows of raw inputs as a split: in memory where they are, else read as they are asked for."""
    if type(raw) is np.ndarray:
        return Split(normalization(raw[rows]), labels[rows])
    return StoredSplit(raw, labels, rows, normalization)


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
    train, test = (inputs_and_labels(prepared, split, "image", "label") for split in ("train", "test"))
    fitted, chosen = held_out(len(train[1]), seed, share)
    return Dataset(
        split_of(*train, fitted, PIXELS),
        split_of(*train, chosen, PIXELS),
        split_of(*test, np.arange(len(test[1])), PIXELS),
        tuple(train[0].shape[1:]),  # [height, width, channels]
        len(class_names),
        "classification",
        class_names,
        PIXELS,
    )
