"""Early stopping: ends training when a metric on validation data no longer improves (chapter 2)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from fdl_zoo.callbacks._monitor import Resumable, monitored
from fdl_zoo.card import Card
from fdl_zoo.data import Context
from fdl_zoo.errors import InvalidData

CARD = Card(
    chapter=2,
    tags=("monitor",),
    ranges={"patience": "[0, inf)", "min_delta": "[0, inf)", "start_from_epoch": "[0, inf)"},
)


class EarlyStopping(Resumable, keras.callbacks.EarlyStopping):
    """Keras's EarlyStopping that can be resumed; the best weights wait in the run's folder, if there is one."""

    STATE = ("wait", "stopped_epoch", "best", "best_epoch")

    def __init__(self, folder: Path | None = None, **options: Any) -> None:
        """Takes Keras's options.

        Args:
            folder: Where the best weights are kept for a resumed run; None keeps them in memory only.
            **options: Those of `keras.callbacks.EarlyStopping`.
        """
        super().__init__(**options)
        self.best_epoch = 0
        self._file = None if folder is None else folder / "early_stopping_best.npz"

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Compares as Keras does, and writes the weights of a new best epoch."""
        before = self.best_weights
        super().on_epoch_end(epoch, logs)
        if self._file is not None and self.best_weights is not before:
            self._write()

    def get_monitor_value(self, logs: Mapping[str, Any] | None) -> float:
        """The monitored metric, whose absence is an error."""
        return monitored(logs, self.monitor)

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(f".{os.getpid()}.part")
        with temporary.open("wb") as stream:
            np.savez(stream, *self.best_weights)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self._file)

    def _apply(self, state: Mapping[str, Any]) -> None:
        super()._apply(state)
        if not self.restore_best_weights or state["best"] is None or self._file is None:
            return
        if not self._file.is_file():
            raise InvalidData(f"The best weights cannot be restored: {self._file} is missing; start the run afresh.")
        with np.load(self._file) as stored:
            self.best_weights = [stored[name] for name in stored.files]


def build(
    *,
    monitor: str = "val_loss",
    patience: int = 5,
    min_delta: float = 0.0,
    mode: Literal["auto", "min", "max"] = "auto",
    baseline: float | None = None,
    restore_best_weights: bool = False,
    start_from_epoch: int = 0,
    context: Context | None = None,
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        monitor: The metric to watch.
        patience: Epochs without improvement after which training ends.
        min_delta: What counts as an improvement.
        mode: Whether less or more is better; `auto` goes by the metric.
        baseline: A value that must be improved upon.
        restore_best_weights: Whether training ends with the weights of the best epoch instead of the last.
        start_from_epoch: Epochs before watching begins.
        context: The run; None in plain Keras.
    """
    return EarlyStopping(
        folder=None if context is None else Path(context.folder) / "checkpoints",
        monitor=monitor,
        patience=patience,
        min_delta=min_delta,
        mode=mode,
        baseline=baseline,
        restore_best_weights=restore_best_weights,
        start_from_epoch=start_from_epoch,
    )
