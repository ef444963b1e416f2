"""RMSProp: AdaGrad with a fading memory, with momentum, centering and bias correction as options (chapter 4)."""

from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card
from fdl_zoo.errors import InvalidOption
from fdl_zoo.optimizers import _kernels
from fdl_zoo.optimizers._base import BaseOptimizer, register
from fdl_zoo.optimizers._bias import bias_correction

CARD = Card(
    chapter=4,
    citation="Tieleman and Hinton (2012), Lecture 6.5; centered: Graves (2013), arXiv:1308.0850",
    tags=("first-order", "adaptive"),
    ranges={"learning_rate": "(0, inf)", "rho": "[0, 1)", "momentum": "[0, 1)", "epsilon": "[0, inf)"},
)


def step(
    g: tf.Tensor,
    r: tf.Tensor,
    a: tf.Tensor | None,
    correction: tf.Tensor | None,
    epsilon: tf.Tensor,
    rho: float,
    delta: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """The rule r <- rho r + (1 - rho) g^2, u = g / (delta + sqrt(r)).

    Corrected, r / (1 - rho^t) stands under the root; centered, a <- rho a + (1 - rho) g and r - a^2 stands there.

    Args:
        g: Gradient of the loss.
        r: Moving average of squared gradients, of the shape of `g`; zero at first.
        a: Moving average of gradients, likewise, where the variance is taken about their mean; else None.
        correction: 1 - rho^t, where the averages are corrected for starting at zero; else None.
        epsilon: Learning rate.
        rho: Decay of the averages.
        delta: Small constant, outside the root.

    Returns:
        Epsilon u, and the new `r` and `a`.
    """
    rho = tf.constant(rho, g.dtype)
    r = rho * r + (1 - rho) * tf.square(g)
    under_root = r if correction is None else (1 / correction) * r
    if a is not None:
        a = rho * a + (1 - rho) * g
        under_root = tf.maximum(under_root - tf.square(a), 0)  # a variance; rounding may bring it below zero
    return epsilon * g / (tf.constant(delta, g.dtype) + tf.sqrt(under_root)), r, a


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
        if centered and bias_correction:
            raise InvalidOption(
                "rmsprop cannot be both centered and bias-corrected: at the first step the corrected variance is zero "
                "and the step without bound; choose one of them."
            )
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

    def update_tensor(
        self,
        variable: tf.Variable,
        gradient: tf.Tensor,
        learning_rate: tf.Tensor,
        t: tf.Tensor,
        *slots: tf.Variable,
    ) -> None:
        """Update one tensor, its averages and its velocity."""
        named = dict(zip(self.slot_names, slots, strict=True))
        squares, mean, velocity = (named.get(name) for name in ("squared_average", "average", "velocity"))
        correction = bias_correction(tf.constant(self.rho, variable.dtype), t) if self.bias_correction else None
        options = (correction, learning_rate, self.rho, self.epsilon)
        if mean is None and _kernels.usable(variable):
            _kernels.rmsprop(variable, gradient, squares, velocity, *options, self.momentum)
            return
        change, r, a = step(gradient, squares, mean, *options)
        squares.assign(r)
        if mean is not None:
            mean.assign(a)
        if velocity is not None:
            change = tf.constant(self.momentum, variable.dtype) * velocity + change
            velocity.assign(change)
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
