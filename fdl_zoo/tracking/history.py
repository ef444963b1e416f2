"""The history of a run, `history.jsonl`: a synced line per record, valid JSON whatever the values, safe to be torn."""

import errno
import json
import math
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from fdl_zoo.errors import TrackingError
from fdl_zoo.tracking.files import write_atomically

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Line(NamedTuple):
    """One line of a history: what it says, as it is written, and the byte that follows it in the file."""

    values: dict[str, Any]
    text: str
    end: int


class History:
    """The file that a run's owner appends to.

    Args:
        path: Where it is; made by the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._writing = threading.Lock()

    def append(self, *lines: Mapping[str, Any]) -> None:
        """Appends lines, and returns once they are on disk.

        Raises:
            TrackingError: The disk is full or gone.
        """
        if not lines:
            return
        text = "".join(_text({"time": time.time(), **line}) for line in lines)
        with self._writing:
            try:
                self._append(text.encode())
            except OSError as error:
                self._close()
                raise TrackingError(f"{self.path} cannot be written: {error.strerror}.") from error

    def cut(self, step: int, epochs: int | None = None) -> None:
        """Removes the lines after `step`, and of epochs after so many: an epoch's line has its last step's number."""
        with self._writing:
            self._close()
            lines = self.read()
            kept = [
                line
                for line in lines
                if line.values["step"] <= step and (epochs is None or line.values.get("epoch", 0) <= epochs)
            ]
            if lines:
                write_atomically(self.path, "".join(line.text for line in kept))

    def close(self) -> None:
        """Closes the file; the next line opens it again."""
        with self._writing:
            self._close()

    def read(self, start: int = 0) -> list[Line]:
        """The complete lines from byte `start`; a torn line, as a crash leaves it, is left out."""
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                content = file.read()
        except FileNotFoundError:
            return []
        lines, position = [], start
        for raw in content.splitlines(keepends=True):
            position += len(raw)
            values = _parsed(raw)
            if values is not None:
                lines.append(Line(values, raw.decode(), position))
        return lines

    def _append(self, line: bytes) -> None:
        # The file stays open: each call into the system may have to wait for other threads of this process.
        if self._file is None:
            self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
            line = line if _ends_a_line(self._file) else b"\n" + line
        if self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._file.fileno())

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps({**line, "metrics": encoded(line["metrics"])}, default=float, allow_nan=False) + "\n"


def encoded(metrics: Mapping[str, Any]) -> dict[str, float | str]:
    """Metrics as JSON can hold them: NaN and infinity become their names."""
    numbers = {name: float(value) for name, value in metrics.items()}
    return {name: number if math.isfinite(number) else _word(number) for name, number in numbers.items()}


def decoded(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as they were before `encoded`."""
    return {name: _NOT_FINITE.get(value, value) for name, value in metrics.items()}


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _parsed(raw: bytes) -> dict[str, Any] | None:
    """What a line says, or None where it is torn."""
    if not raw.endswith(b"\n"):
        return None
    try:
        line = json.loads(raw)
        return line | {"step": int(line["step"]), "time": float(line["time"]), "metrics": decoded(line["metrics"])}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _ends_a_line(file: BinaryIO) -> bool:
    """Whether what is appended starts a line of its own; not so after a torn one."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
