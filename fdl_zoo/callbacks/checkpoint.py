"""Checkpoint: keeps the last and the best model of a run, each file written whole or not at all (chapter 2)."""

import logging
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import keras

from fdl_zoo import saved
from fdl_zoo.callbacks._monitor import Resumable, monitored
from fdl_zoo.card import Card
from fdl_zoo.data import Context
from fdl_zoo.errors import InvalidOption
from fdl_zoo.tasks import loss_is_finite

CARD = Card(chapter=2, tags=("monitor", "safety"), ranges={"every": "[1, inf)"})

_logger = logging.getLogger(__name__)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary name in the same folder, puts it on disk and renames it to `path` (`.keras`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.keras")
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Checkpoint(Resumable, keras.callbacks.Callback):
    """Keeps `last` every few epochs and as training ends, and `best` whenever the metric improves.

    Attributes:
        keep: Called with `best` or `last` when that is to be kept: `write_model`, unless somebody puts in another.
    """

    STATE = ("best", "best_epoch", "last_epoch")

    def __init__(self, folder: Path, monitor: str, mode: Literal["auto", "min", "max"], every: int) -> None:
        super().__init__()
        self.folder, self.monitor, self.mode, self.every = folder, monitor, mode, every
        self.keep: Callable[[str], None] = self.write_model
        self._reset()

    def _reset(self) -> None:
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.last_epoch: int | None = None
        self._epoch: int | None = None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Forgets an earlier training."""
        self._reset()
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes what this epoch calls for; a model whose loss is not finite never replaces a good one."""
        value = monitored(logs, self._metric(logs))
        if not loss_is_finite(self.model, logs) or not math.isfinite(value):
            return
        self._epoch = epoch
        if self.best is None or self._better(value):
            self.best, self.best_epoch = value, epoch
            self.keep("best")
        if (epoch + 1) % self.every == 0:
            self._save_last()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the last epoch if it has not been written, for example because training ended early."""
        if self._epoch is not None and self.last_epoch != self._epoch:
            self._save_last()

    def write_model(self, name: str) -> None:
        """Write the model as it is now, with its optimizer, as `best.keras` or `last.keras`."""
        write_whole(self.folder / f"{name}.keras", lambda path: saved.save(self.model, path))

    def _save_last(self) -> None:
        self.keep("last")
        self.last_epoch = self._epoch

    def _metric(self, logs: Mapping[str, Any] | None) -> str:
        if self.monitor == "val_loss" and not any(name.startswith("val_") for name in logs or {}):
            _logger.warning("There are no validation data: the best checkpoint is that of the least training loss.")
            self.monitor = "loss"
        return self.monitor

    def _better(self, value: float) -> bool:
        return value > self.best if self._direction() == "max" else value < self.best

    def _direction(self) -> str:
        if self.mode != "auto":
            return self.mode
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return "min"
        for metric in _metrics(self.model.metrics):
            if metric.name == name and hasattr(metric, "_direction"):
                return "max" if metric._direction == "up" else "min"
        raise InvalidOption(f"Whether {self.monitor!r} is better high or low is not known: set mode to 'max' or 'min'.")


def _metrics(found: list[Any]) -> list[Any]:
    """Keras's metrics, those inside its containers too."""
    return [each for metric in found for each in (_metrics(metric.metrics) if hasattr(metric, "metrics") else [metric])]


def build(
    *,
    monitor: str = "val_loss",
    mode: Literal["auto", "min", "max"] = "auto",
    every: int = 1,
    folder: str | None = None,
    context: Context | None = None,
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        monitor: The metric that says which epoch is best; the training loss where there are no validation data.
        mode: Whether less or more is better; `auto` goes by the metric.
        every: Epochs between two writings of `last.keras`.
        folder: Where the files go in plain Keras (`checkpoints` if None); a run has its own folder.
        context: The run; None in plain Keras.
    """
    place = Path(folder or "checkpoints") if context is None else Path(context.folder) / "checkpoints"
    return Checkpoint(place, monitor, mode, every)
