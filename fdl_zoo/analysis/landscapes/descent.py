"""Follows an optimizer of the catalogue over a function of two variables, evaluation by evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo import catalogue
from fdl_zoo.analysis.landscapes.functions import Landscape


@dataclass(frozen=True)
class Path:
    """Where an optimizer evaluated loss and gradient, in order.

    Args:
        points: The points [evaluations, 2]; the first is the start. Line searches evaluate trial points too.
        losses: The losses there [evaluations].
    """

    points: np.ndarray
    losses: np.ndarray

    def evaluations_to(self, loss: float) -> int | None:
        """How many evaluations it took to see a loss this low; None where it never did."""
        there = self.losses <= loss
        return int(np.argmax(there)) + 1 if there.any() else None


def descend(
    landscape: Landscape,
    optimizer: str | Mapping[str, Any],
    steps: int,
    *,
    start: tuple[float, float] | None = None,
    until: float | None = None,
) -> Path:
    """Minimize a function in float64 with an optimizer as Keras uses it.

    Args:
        landscape: The function.
        optimizer: A name, or a mapping of `name` and options.
        steps: Evaluations of loss and gradient, at most.
        start: Where from; the landscape's own start by default.
        until: Stop once the loss is this low; None for never.
    """
    options = {"name": optimizer} if isinstance(optimizer, str) else dict(optimizer)
    made = catalogue.create_optimizer(options.pop("name"), **options)
    variable = keras.Variable(np.asarray(start or landscape.start, np.float64), dtype="float64")
    made.build([variable])

    @tf.function(autograph=False)
    def evaluate_and_step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = landscape.value(tf.convert_to_tensor(variable.value))
            scaled = made.scale_loss(loss)  # how a line search gets to know the loss
        made.apply([tape.gradient(scaled, variable.value)], [variable])
        return loss

    points, losses = [], []
    for _ in range(steps):
        points.append(variable.numpy())
        losses.append(float(evaluate_and_step()))
        if not np.isfinite(losses[-1]) or (until is not None and losses[-1] <= until):
            break
    return Path(np.array(points), np.array(losses))
