"""Reduce on plateau: a smaller learning rate once a metric no longer improves (chapter 4)."""

from collections.abc import Mapping
from typing import Any, Literal

import keras

from fdl_zoo.callbacks._monitor import Resumable, monitored
from fdl_zoo.card import Card

CARD = Card(
    chapter=4,
    tags=("monitor", "learning_rate"),
    ranges={
        "factor": "(0, 1)",
        "patience": "[0, inf)",
        "min_delta": "[0, inf)",
        "cooldown": "[0, inf)",
        "min_lr": "[0, inf)",
    },
)


class ReduceLROnPlateau(Resumable, keras.callbacks.ReduceLROnPlateau):
    """Keras's ReduceLROnPlateau that can be resumed; the learning rate itself is part of the optimizer's state."""

    STATE = ("wait", "best", "cooldown_counter")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Compares as Keras does; a metric that is not there is an error."""
        monitored(logs, self.monitor)
        super().on_epoch_end(epoch, logs)


def build(
    *,
    monitor: str = "val_loss",
    factor: float = 0.1,
    patience: int = 10,
    mode: Literal["auto", "min", "max"] = "auto",
    min_delta: float = 0.0001,
    cooldown: int = 0,
    min_lr: float = 0.0,
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        monitor: The metric to watch.
        factor: What the learning rate is multiplied by.
        patience: Epochs without improvement after which it is.
        mode: Whether less or more is better; `auto` goes by the metric.
        min_delta: What counts as an improvement.
        cooldown: Epochs to wait after a reduction before watching again.
        min_lr: The learning rate that is never gone below.
    """
    return ReduceLROnPlateau(
        monitor=monitor,
        factor=factor,
        patience=patience,
        mode=mode,
        min_delta=min_delta,
        cooldown=cooldown,
        min_lr=min_lr,
    )
