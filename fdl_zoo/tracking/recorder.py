"""What callbacks record with: metrics, files and figures go into the run's folder, from where they are mirrored."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fdl_zoo.errors import InvalidOption
from fdl_zoo.tracking.folder import RunFolder


def _nothing() -> None:
    """What is notified where nobody mirrors."""


class Recorder:
    """The `context.tracker` of callbacks. It writes to disk only, and never waits for a tracking store.

    Args:
        folder: The run's folder.
        notify: Called after each record, for example `Sender.notify`.
        drawings: Takes up what is to be drawn later, which whoever gives it calls; without it that is drawn at once.
    """

    def __init__(
        self,
        folder: RunFolder,
        notify: Callable[[], None] = _nothing,
        drawings: list[Callable[[], None]] | None = None,
    ) -> None:
        self._folder, self._notify, self._drawings = folder, notify, drawings

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Adds values of metrics at `step`."""
        self._folder.append_history({"step": int(step), "metrics": dict(metrics)})
        self._notify()

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Copies a file, or a folder with all that is in it, into `folder` of the run's artifacts."""
        path, target = Path(path), self._target(folder)
        files = [path] if path.is_file() else [each for each in sorted(path.rglob("*")) if each.is_file()]
        if not files:
            raise InvalidOption(f"{path} cannot be recorded: it is no file, and no folder with files in it.")
        for file in files:
            _place(target / file.relative_to(path.parent), lambda place, file=file: shutil.copyfile(file, place))
        self._notify()

    def log_figure(self, figure: Any, name: str) -> None:
        """Saves a matplotlib figure among the run's artifacts; the suffix of `name` chooses the format."""
        kind = PurePosixPath(name).suffix.removeprefix(".") or "png"
        box = (
            None if figure.get_layout_engine() else "tight"
        )  # a layout leaves no margin to cut, and cutting draws twice
        _place(self._target(name), lambda place: figure.savefig(place, format=kind, bbox_inches=box))
        self._notify()

    def draw_later(self, draw: Callable[[], None]) -> None:
        """Calls what draws and records figures once training is over, beside the run's last work."""
        if self._drawings is None:
            draw()
        else:
            self._drawings.append(draw)

    def log_text(self, text: str, name: str) -> None:
        """Saves a text among the run's artifacts."""
        _place(self._target(name), lambda place: place.write_text(text, encoding="utf-8"))
        self._notify()

    @property
    def _place(self) -> Path:
        return self._folder.artifacts

    def _target(self, relative: str) -> Path:
        if PurePosixPath(relative).is_absolute() or ".." in PurePosixPath(relative).parts:
            raise InvalidOption(f"{relative!r} cannot be recorded to: a name stays below the run's artifacts.")
        return self._place / relative


class FolderRecorder(Recorder):
    """Keeps files and figures in a folder that is no run's.

    Args:
        place: The folder; made by the first file.
    """

    def __init__(self, place: Path) -> None:
        self._path, self._notify, self._drawings = Path(place), _nothing, None

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """A folder has no history.

        Raises:
            InvalidOption: Always.
        """
        raise InvalidOption("Metrics cannot be recorded in a plain folder: only a run has a history.")

    @property
    def _place(self) -> Path:
        return self._path


def _place(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes beside the artifacts and renames, so that the sender never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.urandom(4).hex()}.part")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
