"""Shows the accepted point of a line search to validation and checkpoints, and stops at convergence (chapter 4)."""

from collections.abc import Iterator
from typing import Any

import keras

from fdl_zoo.card import Card
from fdl_zoo.errors import InvalidOption

CARD = Card(chapter=4, tags=("quasi-newton",))

_AUGMENTATION = ("AugMix", "CutMix", "MixUp", "RandAugment")
_MAX_NORM = (keras.constraints.MaxNorm, keras.constraints.MinMaxNorm)


class AcceptedPoint(keras.callbacks.Callback):
    """For `bfgs`, `lbfgs` and `conjugate_gradient`, whose weights are a trial point while they search.

    At the start of each test and at each epoch's end the accepted point is put into the weights, and the trial point
    back before the next training batch. Put it first, so that the other callbacks of an epoch's end see the accepted
    point. It stops training once the optimizer has stopped, and refuses models whose loss is not a function of the
    weights alone. With any other optimizer it does nothing.
    """

    at_block_end = True

    def __init__(self) -> None:
        super().__init__()
        self._shown = False

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Check the model, and go on from the trial point of a state that was loaded."""
        if self._searches:
            check_deterministic(self.model)
        self._shown = True  # as in a state that was saved at an epoch's end

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Put the trial point back."""
        if self._searches and self._shown:
            self.model.optimizer.show_trial_point()
            self._shown = False

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop once the optimizer has."""
        if self._searches and self.model.optimizer.stop_reason != "running":
            self.model.stop_training = True

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the accepted point in."""
        self._show()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the accepted point in."""
        self._show()

    @property
    def _searches(self) -> bool:
        """Whether the optimizer is one of those that search; entries do not import one another."""
        return hasattr(self.model.optimizer, "show_accepted_point")

    def _show(self) -> None:
        if self._searches and not self._shown:
            self.model.optimizer.show_accepted_point()
            self._shown = True


def check_deterministic(model: keras.Model) -> None:
    """Refuse a model whose loss is not one fixed function of its weights.

    Raises:
        InvalidOption: A layer draws random numbers in training, normalizes by the batch, or has a max-norm constraint.
    """
    for layer in _layers(model):
        reason = _reason(layer)
        if reason:
            raise InvalidOption(
                f"Layer {layer.name!r} {reason}, so the loss is not one fixed function of the weights, which a line "
                "search needs: leave the layer out, or use a first-order optimizer such as adam."
            )


def _layers(layer: Any) -> Iterator[keras.layers.Layer]:
    """All layers inside a layer or model at any depth; Keras has no public name that enters wrappers and cells."""
    yield from layer._flatten_layers(include_self=False, recursive=True)


def _reason(layer: keras.layers.Layer) -> str:
    """What makes the loss random or bounds the weights; empty where nothing does."""
    kind = type(layer).__name__
    names = ("dropout", "recurrent_dropout", "_dropout", *(("rate",) if hasattr(layer, "seed_generator") else ()))
    if any(isinstance(rate, int | float) and rate > 0 for rate in (getattr(layer, name, 0) for name in names)):
        return f"({kind}) drops units at random"
    if isinstance(layer, keras.layers.GaussianNoise) and layer.stddev > 0:
        return f"({kind}) adds noise"
    if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
        return f"({kind}) normalizes by the batch in training and keeps a moving average"
    if kind.startswith("Random") or kind in _AUGMENTATION:
        return f"({kind}) augments at random"
    if any(isinstance(value, _MAX_NORM) for value in vars(layer).values()):
        return f"({kind}) has a max-norm constraint"
    return ""


def build(*, context: Any = None) -> AcceptedPoint:
    """The callback that shows the accepted point of `bfgs`, `lbfgs` and `conjugate_gradient`; put it first."""
    return AcceptedPoint()
