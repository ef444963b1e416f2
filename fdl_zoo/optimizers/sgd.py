"""Gradient descent: one step down the gradient of the batch (chapters 2 and 4).

Batch, stochastic or mini-batch gradient descent is a choice of the batch size, not of the rule.
"""

from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card
from fdl_zoo.optimizers import _kernels
from fdl_zoo.optimizers._base import BaseOptimizer, register

CARD = Card(
    chapter=2,
    citation="Cauchy (1847), Robbins and Monro (1951), doi:10.1214/aoms/1177729586",
    tags=("first-order",),
    aliases=("gradient_descent",),
    ranges={"learning_rate": "(0, inf)"},
)


def step(g: tf.Tensor, epsilon: tf.Tensor) -> tf.Tensor:
    """The rule theta <- theta - epsilon g.

    Args:
        g: Gradient of the loss.
        epsilon: Learning rate.

    Returns:
        What is taken off theta, of the shape of `g`.
    """
    return epsilon * g


@register("sgd")
class SGD(BaseOptimizer):
    """Gradient descent as a Keras optimizer; `build` has the options."""

    def __init__(self, learning_rate: float = 0.01, **base: Any) -> None:
        super().__init__(learning_rate, **base)

    def update_tensor(self, variable: tf.Variable, gradient: tf.Tensor, learning_rate: tf.Tensor, t: tf.Tensor) -> None:
        """Update one tensor."""
        if _kernels.usable(variable):
            _kernels.sgd(variable, gradient, learning_rate)
            return
        variable.assign_sub(step(gradient, learning_rate))


def build(*, learning_rate: float = 0.01, **base: Any) -> SGD:
    """Gradient descent.

    Args:
        learning_rate: The step, epsilon in the book; or a Keras schedule.
        **base: Options of every Keras optimizer.
    """
    return SGD(learning_rate, **base)
