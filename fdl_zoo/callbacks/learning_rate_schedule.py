"""Learning rate schedule: a fall by steps, exponential or as a cosine, after a linear warm-up (chapter 4)."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import keras

from fdl_zoo.callbacks._monitor import Resumable
from fdl_zoo.card import Card
from fdl_zoo.errors import InvalidOption

CARD = Card(
    chapter=4,
    citation="Loshchilov and Hutter (2017), arXiv:1608.03983 (cosine); Goyal et al. (2017), arXiv:1706.02677 (warm-up)",
    tags=("learning_rate",),
    ranges={"warmup": "[0, inf)", "decay_steps": "[1, inf)", "decay_rate": "(0, 1]", "alpha": "[0, 1]"},
)

Kind = Literal["step", "exponential", "cosine"]


def factor(epoch: int, kind: Kind, warmup: int, decay_steps: int, decay_rate: float, alpha: float) -> float:
    """What the initial learning rate is multiplied by in an epoch.

    With w = warmup and T = decay_steps, both in epochs, and t = epoch - w: `(epoch + 1) / (w + 1)` while t < 0, then
    `decay_rate ** floor(t / T)` (step), `decay_rate ** (t / T)` (exponential), and
    `alpha + (1 - alpha) (1 + cos(pi min(t / T, 1))) / 2` (cosine).

    Args:
        epoch: Counted from 0.
        kind: The shape of the fall.
        warmup: Epochs of linear rise.
        decay_steps: Epochs per factor `decay_rate`, or of the cosine's fall.
        decay_rate: What remains after `decay_steps` epochs.
        alpha: The share at which the cosine ends.
    """
    if epoch < warmup:
        return (epoch + 1) / (warmup + 1)
    progress = (epoch - warmup) / decay_steps
    if kind == "cosine":
        return alpha + (1 - alpha) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return decay_rate ** (math.floor(progress) if kind == "step" else progress)


class LearningRateSchedule(Resumable, keras.callbacks.Callback):
    """Sets the optimizer's learning rate as each epoch begins: a function of the epoch and the rate at the start."""

    STATE = ("initial_learning_rate",)

    def __init__(self, kind: Kind, warmup: int, decay_steps: int | None, decay_rate: float, alpha: float) -> None:
        super().__init__()
        self.kind, self.warmup, self.decay_steps = kind, warmup, decay_steps
        self.decay_rate, self.alpha = decay_rate, alpha
        self.initial_learning_rate: float | None = None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Remembers the rate at the start.

        Raises:
            InvalidOption: The optimizer has a schedule of its own.
        """
        optimizer = self.model.optimizer
        if isinstance(getattr(optimizer, "_learning_rate", None), keras.optimizers.schedules.LearningRateSchedule):
            raise InvalidOption(
                "learning_rate_schedule cannot steer an optimizer whose learning_rate is a schedule: give it a number."
            )
        self.initial_learning_rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        super().on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Sets this epoch's rate."""
        share = factor(epoch, self.kind, self.warmup, self._decay_steps(), self.decay_rate, self.alpha)
        self.model.optimizer.learning_rate = self.initial_learning_rate * share

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Puts the rate among the epoch's metrics, as Keras's own scheduler does."""
        if logs is not None:
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def _decay_steps(self) -> int:
        if self.decay_steps is not None:
            return self.decay_steps
        return max(1, self.params["epochs"] - self.warmup) if self.kind == "cosine" else 10


def build(
    *,
    kind: Literal["step", "exponential", "cosine"] = "cosine",
    warmup: int = 0,
    decay_steps: int | None = None,
    decay_rate: float = 0.5,
    alpha: float = 0.0,
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        kind: The shape of the fall.
        warmup: Epochs over which the rate rises linearly at first.
        decay_steps: Epochs per factor `decay_rate` (10 by default), or of the cosine's fall (all that are left).
        decay_rate: What remains of the rate after `decay_steps` epochs (step, exponential).
        alpha: The share of the rate at which the cosine ends.
    """
    return LearningRateSchedule(kind, warmup, decay_steps, decay_rate, alpha)
