"""RMSProp: AdaGrad with a fading memory, with momentum, centering and bias correction as options (chapter 4)."""

from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card
from fdl_zoo.optimizers._base import BaseOptimizer, register
from fdl_zoo.optimizers._bias import bias_correction

CARD = Card(
    chapter=4,
    citation="Tieleman and Hinton (2012), Lecture 6.5; centered: Graves (2013), arXiv:1308.0850",
    tags=("first-order", "adaptive"),
    ranges={"learning_rate": "(0, inf)", "rho": "[0, 1)", "momentum": "[0, 1)", "epsilon": "[0, inf)"},
)


def average(a: tf.Tensor, x: tf.Tensor, rho: tf.Tensor) -> tf.Tensor:
    """The moving average a <- rho a + (1 - rho) x, elementwise."""
    return rho * a + (1 - rho) * x


def step(
    g: tf.Tensor, r: tf.Tensor, a: tf.Tensor | None, correction: tf.Tensor | None, epsilon: tf.Tensor, delta: float
) -> tf.Tensor:
    """Epsilon u, with u = g / (delta + sqrt(r^)), r^ = r / c and, centered, r^ = r / c - (a / c)^2.

    Args:
        g: Gradient of the loss.
        r: Moving average of squared gradients, this one included, of the shape of `g`.
        a: Moving average of gradients, where the variance is taken about their mean; else None.
        correction: c = 1 - rho^t, where the averages are corrected for starting at zero; else None.
        epsilon: Learning rate.
        delta: Small constant, outside the root.

    Returns:
        What is taken off theta, before momentum.
    """
    c = 1 if correction is None else correction
    r = r / c
    if a is not None:
        r = tf.maximum(r - tf.square(a / c), 0)  # a variance; rounding may bring it below zero
    return epsilon * g / (tf.constant(delta, g.dtype) + tf.sqrt(r))


@register("rmsprop")
class RMSProp(BaseOptimizer):
    """RMSProp as a Keras optimizer; `build` has the options."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-6,
        centered: bool = False,
        bias_correction: bool = False,
        **base: Any,
    ) -> None:
        super().__init__(learning_rate, **base)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.bias_correction = bias_correction

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The moving average of squares; that of gradients where centered; the velocity where there is momentum."""
        return ("squared_average",) + ("average",) * self.centered + ("velocity",) * (self.momentum > 0)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Update one tensor, its averages and its velocity."""
        slots = dict(zip(self.slot_names, self.slots(variable), strict=True))
        rho = tf.constant(self.rho, variable.dtype)
        r = average(slots["squared_average"], tf.square(gradient), rho)
        slots["squared_average"].assign(r)
        a = None
        if self.centered:
            a = average(slots["average"], gradient, rho)
            slots["average"].assign(a)
        t = tf.convert_to_tensor(self.iterations) + 1
        correction = bias_correction(rho, t) if self.bias_correction else None
        change = step(gradient, r, a, correction, tf.cast(learning_rate, variable.dtype), self.epsilon)
        if self.momentum > 0:
            change = tf.constant(self.momentum, variable.dtype) * slots["velocity"] + change
            slots["velocity"].assign(change)
        variable.assign_sub(change)

    def get_config(self) -> dict[str, Any]:
        """The options as plain values."""
        names = ("rho", "momentum", "epsilon", "centered", "bias_correction")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def build(
    *,
    learning_rate: float = 0.001,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-6,
    centered: bool = False,
    bias_correction: bool = False,
    **base: Any,
) -> RMSProp:
    """RMSProp.

    Args:
        learning_rate: The step, epsilon in the book; or a Keras schedule.
        rho: Decay of the average of squared gradients.
        momentum: Share of the velocity that each step keeps; 0 keeps none.
        epsilon: Small constant outside the root, delta in the book.
        centered: Whether to divide by the deviation about the mean gradient.
        bias_correction: Whether to correct the averages for starting at zero, as Adam does.
        **base: Options of every Keras optimizer.
    """
    return RMSProp(learning_rate, rho, momentum, epsilon, centered, bias_correction, **base)
