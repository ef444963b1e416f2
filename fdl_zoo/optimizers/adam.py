"""Adam: momentum over RMSProp's scaling, both corrected for starting at zero (chapter 4)."""

from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card
from fdl_zoo.optimizers import _kernels
from fdl_zoo.optimizers._base import BaseOptimizer, register
from fdl_zoo.optimizers._bias import bias_correction

CARD = Card(
    chapter=4,
    citation="Kingma and Ba (2015), arXiv:1412.6980",
    tags=("first-order", "adaptive"),
    ranges={"learning_rate": "(0, inf)", "beta_1": "[0, 1)", "beta_2": "[0, 1)", "epsilon": "[0, inf)"},
)


def step(
    g: tf.Tensor,
    s: tf.Tensor,
    r: tf.Tensor,
    t: tf.Tensor,
    epsilon: tf.Tensor,
    rho_1: float,
    rho_2: float,
    delta: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The rule theta <- theta - epsilon s^ / (delta + sqrt(r^)), s^ = s / (1 - rho_1^t), r^ = r / (1 - rho_2^t).

    Args:
        g: Gradient of the loss.
        s: Moving average of gradients, of the shape of `g`; zero at first.
        r: Moving average of their squares, likewise.
        t: Number of this step, from 1.
        epsilon: Learning rate.
        rho_1: Decay of `s`.
        rho_2: Decay of `r`.
        delta: Small constant, outside the root.

    Returns:
        What is taken off theta, and the new `s` and `r`.
    """
    rho_1, rho_2, delta = (tf.constant(each, g.dtype) for each in (rho_1, rho_2, delta))
    s = rho_1 * s + (1 - rho_1) * g
    r = rho_2 * r + (1 - rho_2) * tf.square(g)
    scale_s, scale_r = 1 / bias_correction(rho_1, t), 1 / bias_correction(rho_2, t)
    # Scalars first: per weight, one division and one root remain, which is what the time goes into.
    return (epsilon * scale_s) * s / (delta + tf.sqrt(scale_r * r)), s, r


@register("adam")
class Adam(BaseOptimizer):
    """Adam as a Keras optimizer; `build` has the options."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **base: Any,
    ) -> None:
        super().__init__(learning_rate, **base)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The moving averages of gradients and of their squares."""
        return ("first_moment", "second_moment")

    def update_tensor(
        self,
        variable: tf.Variable,
        gradient: tf.Tensor,
        learning_rate: tf.Tensor,
        t: tf.Tensor,
        first: tf.Variable,
        second: tf.Variable,
    ) -> None:
        """Update one tensor and its two moments."""
        options = (t, learning_rate, self.beta_1, self.beta_2, self.epsilon)
        if _kernels.usable(variable):
            _kernels.adam(variable, gradient, first, second, *options)
            return
        change, s, r = step(gradient, first, second, *options)
        first.assign(s)
        second.assign(r)
        variable.assign_sub(change)

    def get_config(self) -> dict[str, Any]:
        """The options as plain values."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


def build(
    *, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8, **base: Any
) -> Adam:
    """Adam.

    Args:
        learning_rate: The step, epsilon in the book; or a Keras schedule.
        beta_1: Decay of the average of gradients, rho_1 in the book.
        beta_2: Decay of the average of their squares, rho_2 in the book.
        epsilon: Small constant outside the root, delta in the book.
        **base: Options of every Keras optimizer.
    """
    return Adam(learning_rate, beta_1, beta_2, epsilon, **base)
