"""Arrays that stay on disk: mapped into memory, inside an `.npz` file or written once, and read a batch at a time."""

import mmap
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from fdl_zoo.data import Normalization, Split

BLOCK = 1024
FEW = 16


def mapped(file: Path, name: str) -> np.ndarray | None:
    """The array of this name as a read-only map of the file; None where it is compressed or holds objects."""
    with zipfile.ZipFile(file) as archive:
        member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    with file.open("rb") as stream:
        stream.seek(member.header_offset + 26)  # a local header: 30 bytes, then name and extra field of these lengths
        lengths = int.from_bytes(stream.read(2), "little") + int.from_bytes(stream.read(2), "little")
        stream.seek(member.header_offset + 30 + lengths)
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream)
        offset = stream.tell()
    if dtype.hasobject:
        return None
    return np.memmap(file, dtype, "r", offset, shape, "F" if fortran else "C")


def written(file: Path, blocks: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Writes blocks of examples [n, ...], `count` in all, to a `.npy` file, whole or not at all, and maps it.

    Written as a stream and not through a map, so that a full disk is an error and no crash.
    """
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
    return np.load(file, mmap_mode="r")


def forget(array: np.ndarray) -> None:
    """Give back the memory that holds what was read of a mapped file; the system keeps it cached as it sees fit."""
    source = array
    while isinstance(source, np.ndarray):
        source = source.base
    if isinstance(source, mmap.mmap):
        source.madvise(mmap.MADV_DONTNEED)


def fitted(raw: np.ndarray, rows: np.ndarray) -> Normalization:
    """Mean and deviation per feature of the last axis over some examples, read in blocks: constant memory.

    Args:
        raw: Examples [examples, ..., features].
        rows: The training examples.
    """
    axes, values = tuple(range(raw.ndim - 1)), len(rows) * int(np.prod(raw.shape[1:-1]))
    blocks = [np.sort(rows)[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    mean = sum(each.sum(axis=axes, dtype=np.float64) for each in _read(raw, blocks)) / values
    squares = sum(np.square(each - mean).sum(axis=axes, dtype=np.float64) for each in _read(raw, blocks))
    deviation = np.sqrt(squares / values)
    return Normalization(mean, np.where(deviation > 0, deviation, 1.0))


def _read(raw: np.ndarray, blocks: list[np.ndarray]) -> Iterator[np.ndarray]:
    for block in blocks:
        yield raw[block]
        forget(raw)


def _gathered(raw: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows in any order, few at a time: to touch one of them may map megabytes around it into memory."""
    found = np.empty((len(rows), *raw.shape[1:]), raw.dtype)
    for start in range(0, len(rows), FEW):
        found[start : start + FEW] = raw[rows[start : start + FEW]]
        forget(raw)
    return found


class MappedSplit(Split):
    """Some rows of an array on disk, normalized as they are taken."""

    def __init__(self, raw: np.ndarray, targets: np.ndarray, rows: np.ndarray, prepare: Callable) -> None:
        """Remembers where examples are.

        Args:
            raw: All examples, on disk.
            targets: All targets, in memory.
            rows: Which of them are in this part.
            prepare: How raw examples [n, ...] become inputs.
        """
        self.raw, self.targets, self.rows, self.prepare = raw, targets, rows, prepare

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The examples at `indices` [n] and their targets [n, ...]."""
        rows = self.rows[indices]
        return self.prepare(_gathered(self.raw, rows)), self.targets[rows]
