"""AdaGrad: each weight's rate shrinks with the squares of all its past gradients (chapter 4)."""

from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card
from fdl_zoo.optimizers import _kernels
from fdl_zoo.optimizers._base import BaseOptimizer, register

CARD = Card(
    chapter=4,
    citation="Duchi, Hazan and Singer (2011), Adaptive subgradient methods, JMLR 12",
    tags=("first-order", "adaptive"),
    ranges={"learning_rate": "(0, inf)", "epsilon": "[0, inf)"},
)


def step(g: tf.Tensor, r: tf.Tensor, epsilon: tf.Tensor, delta: float) -> tuple[tf.Tensor, tf.Tensor]:
    """The rule r <- r + g^2, theta <- theta - epsilon g / (delta + sqrt(r)).

    Args:
        g: Gradient of the loss.
        r: Sum of squared gradients, of the shape of `g`; zero at first.
        epsilon: Learning rate.
        delta: Small constant, outside the root.

    Returns:
        What is taken off theta, and the new `r`.
    """
    r = r + tf.square(g)
    return epsilon * g / (tf.constant(delta, g.dtype) + tf.sqrt(r)), r


@register("adagrad")
class AdaGrad(BaseOptimizer):
    """AdaGrad as a Keras optimizer; `build` has the options."""

    def __init__(self, learning_rate: float = 0.01, epsilon: float = 1e-7, **base: Any) -> None:
        super().__init__(learning_rate, **base)
        self.epsilon = epsilon

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The sum of squared gradients."""
        return ("squared_sum",)

    def update_tensor(
        self,
        variable: tf.Variable,
        gradient: tf.Tensor,
        learning_rate: tf.Tensor,
        t: tf.Tensor,
        squared_sum: tf.Variable,
    ) -> None:
        """Update one tensor and its sum of squares."""
        if _kernels.usable(variable):
            delta = tf.constant(self.epsilon, variable.dtype)
            _kernels.adagrad(variable, gradient, squared_sum, learning_rate, delta)
            return
        change, r = step(gradient, squared_sum, learning_rate, self.epsilon)
        squared_sum.assign(r)
        variable.assign_sub(change)

    def get_config(self) -> dict[str, Any]:
        """The options as plain values."""
        return {**super().get_config(), "epsilon": self.epsilon}


def build(*, learning_rate: float = 0.01, epsilon: float = 1e-7, **base: Any) -> AdaGrad:
    """AdaGrad.

    Args:
        learning_rate: The step, epsilon in the book; or a Keras schedule.
        epsilon: Small constant outside the root, delta in the book.
        **base: Options of every Keras optimizer.
    """
    return AdaGrad(learning_rate, epsilon, **base)
