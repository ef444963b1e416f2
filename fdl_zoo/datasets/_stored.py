"""Arrays that stay on disk, inside an `.npz` file or in a `.npy` file written once, and are read a batch at a time."""

import os
import weakref
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fdl_zoo.data import Normalization, Split

BLOCK = 1024


class Stored:
    """An array on disk [examples, ...]; what is indexed is read, example by example.

    Read and not mapped: a map counts as memory of this process, megabytes for each example that is touched, and a file
    cut short ends the process instead of raising an error.
    """

    def __init__(self, file: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Opens the file and keeps it open.

        Args:
            file: Where it is.
            offset: At which byte the first example starts.
            shape: Of the whole array.
            dtype: Of its values.
        """
        self.file, self.offset = file, offset
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
        self._descriptor = os.open(file, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """The examples of some rows, counted from 0, in their order.

        Raises:
            IndexError: There are none of these numbers; what lies beside the array in the file would be read.
            OSError: They are no longer there.
        """
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"{self.file} has the examples 0 to {len(self) - 1}, not {rows.min()} to {rows.max()}.")
        size = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        read = np.empty((len(rows), size), np.uint8)
        for example, row in zip(read, rows.tolist(), strict=True):
            if os.preadv(self._descriptor, [example], self.offset + row * size) != size:
                raise OSError(f"{self.file} has been cut short: example {row} is not in it.")
        return read.view(self.dtype).reshape(len(rows), *self.shape[1:])


def array_in(file: Path, name: str) -> Stored | None:
    """The array of this name in an `.npz` file; None where it is compressed, or cannot be read example by example."""
    with zipfile.ZipFile(file) as archive:
        member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    with file.open("rb") as stream:
        stream.seek(member.header_offset + 26)  # a local header: 30 bytes, then name and extra field of these lengths
        lengths = int.from_bytes(stream.read(2), "little") + int.from_bytes(stream.read(2), "little")
        stream.seek(member.header_offset + 30 + lengths)
        return _described(stream, file)


def opened(file: Path) -> Stored:
    """The array of a `.npy` file that `written` wrote."""
    with file.open("rb") as stream:
        return _described(stream, file)


def _described(stream: BinaryIO, file: Path) -> Stored | None:
    """What the header at the stream's place describes; None for objects and for arrays stored column by column."""
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, fortran, dtype = read(stream)
    return None if dtype.hasobject or (fortran and len(shape) > 1) else Stored(file, stream.tell(), shape, dtype)


def written(file: Path, blocks: Iterable[np.ndarray], count: int) -> None:
    """Writes blocks of examples [n, ...], `count` in all, to a `.npy` file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.stem}.{os.getpid()}.npy")
    try:
        with temporary.open("wb") as stream:
            for number, block in enumerate(blocks):
                if number == 0:
                    facts = {"descr": block.dtype.str, "fortran_order": False, "shape": (count, *block.shape[1:])}
                    np.lib.format.write_array_header_2_0(stream, facts)
                stream.write(np.ascontiguousarray(block).data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def fitted(raw: np.ndarray | Stored, rows: np.ndarray) -> Normalization:
    """Mean and deviation per feature of the last axis over some examples, read in blocks: constant memory.

    Args:
        raw: Examples [examples, ..., features].
        rows: The training examples.
    """
    axes, values = tuple(range(raw.ndim - 1)), len(rows) * int(np.prod(raw.shape[1:-1]))
    blocks = [np.sort(rows)[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    mean = sum(raw[block].sum(axis=axes, dtype=np.float64) for block in blocks) / values
    squares = sum(np.square(raw[block] - mean).sum(axis=axes, dtype=np.float64) for block in blocks)
    deviation = np.sqrt(squares / values)
    return Normalization(mean, np.where(deviation > 0, deviation, 1.0))


class StoredSplit(Split):
    """Some rows of an array on disk, normalized as they are taken."""

    def __init__(self, raw: Stored, targets: np.ndarray, rows: np.ndarray, prepare: Callable) -> None:
        """Remembers where examples are.

        Args:
            raw: All examples, on disk.
            targets: All targets, in memory.
            rows: Which of them are in this part.
            prepare: How raw examples [n, ...] become inputs.
        """
        self.raw, self.targets, self.rows, self.prepare = raw, targets, rows, prepare

    @property
    def known_targets(self) -> np.ndarray:
        """The targets of this part [examples, ...]."""
        return self.targets[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The examples at `indices` [n] and their targets [n, ...]."""
        rows = self.rows[indices]
        return self.prepare(self.raw[rows]), self.targets[rows]
