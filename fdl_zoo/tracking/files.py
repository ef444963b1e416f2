"""Files that are written whole or not at all, and locks that die with their holder: what a run's folder stands on."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Lets `write` fill a file so that a reader, or a crash, finds the old one or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Makes a folder and sees that files can be written in it, before long work is done for them.

    Raises:
        OSError: They cannot; it names the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / f".{os.urandom(4).hex()}.part"
    try:
        trial.touch()
    except OSError as error:
        error.filename = str(folder)
        raise
    trial.unlink()


def link_whole(existing: Path, path: Path) -> None:
    """Gives a file that is whole a second name, in the place of what has that name; without hard links it is copied."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        try:
            os.link(existing, temporary)
        except OSError:  # a file system that has no such thing
            shutil.copyfile(existing, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Writes `text` in the same way."""
    write_whole(path, lambda file: file.write(text.encode()))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a mapping as JSON, atomically; what JSON does not know is written as its string."""
    write_atomically(path, json.dumps(value, indent=1, default=str) + "\n")


class Lock:
    """An exclusive lock on a file: `flock`, which the kernel releases when its holder dies, however it dies.

    Args:
        path: The lock's file; made where it is missing and left in place, because whoever unlinks a lock's file lets
            a second holder in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, timeout: float | None = None) -> bool:
        """Takes the lock, waiting at most `timeout` seconds (None waits for ever); says whether it was got."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            got = _flock(descriptor, timeout)
        except BaseException:
            os.close(descriptor)
            raise
        if got:
            self._descriptor = descriptor
        else:
            os.close(descriptor)
        return got

    def release(self) -> None:
        """Gives the lock back; without effect where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _flock(descriptor: int, timeout: float | None) -> bool:
    if timeout is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
