"""Terminate on NaN: ends training at the step at which the loss is no longer finite, and says which (chapter 4)."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from fdl_zoo.callbacks._monitor import Resumable
from fdl_zoo.card import Card
from fdl_zoo.tasks import loss_is_finite

CARD = Card(chapter=4, tags=("safety",))


class TerminateOnNaN(Resumable, keras.callbacks.Callback):
    """Stops at a loss that is NaN or infinite and remembers where; whoever calls `fit` reads `failure`.

    Attributes:
        failure: One sentence with metric, value, epoch and step, counted from 1; None while all is finite.
        epoch: The epoch of the failure, counted from 0.
        step: The step of the failure within its epoch, counted from 0; None if it was seen at the epoch's end.
    """

    STATE = ("epoch", "step")

    at_block_end = True

    def __init__(self) -> None:
        super().__init__()
        self.failure: str | None = None
        self.epoch: int | None = None
        self.step: int | None = None
        self._now = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Forgets an earlier training."""
        self.failure = self.epoch = self.step = None
        super().on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remembers the epoch."""
        self._now = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Looks at the loss, which Keras averages over the epoch's steps: once not finite, it stays so."""
        self._check("loss", logs, batch - self._steps_since(batch))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Looks at the losses of the epoch, also that on validation data."""
        for metric in ("loss", "val_loss"):
            self._check(metric, logs, None)

    def _steps_since(self, batch: int) -> int:
        """Steps from the first loss that is not finite to the end of the block, where one call runs several steps."""
        engine = getattr(self.model.train_function, "__self__", None)
        wrong = [step for step, loss in enumerate(getattr(engine, "losses", ())) if not math.isfinite(loss)]
        return engine.block - 1 - wrong[0] if wrong else 0

    def _check(self, metric: str, logs: Mapping[str, Any] | None, step: int | None) -> None:
        value = (logs or {}).get(metric)
        searching = getattr(self.model.optimizer, "stop_reason", None)
        if searching == "running" or (searching and metric == "loss" and loss_is_finite(self.model, logs)):
            return  # a line search takes back a step that leads there
        if value is None or math.isfinite(float(value)) or self.failure is not None:
            return
        self.epoch, self.step = self._now, step
        where = f"epoch {self._now + 1}" + ("" if step is None else f", step {step + 1}")
        self.failure = f"Training stopped in {where}: {metric} is {float(value)}; a smaller learning rate may help."
        self.model.stop_training = True


def build() -> keras.callbacks.Callback:
    """Builds the callback; it has no options."""
    return TerminateOnNaN()
