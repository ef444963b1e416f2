"""Momentum: a velocity that remembers past gradients, with Nesterov's look-ahead as an option (chapter 4)."""

from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card, Variant
from fdl_zoo.optimizers import _kernels
from fdl_zoo.optimizers._base import BaseOptimizer, register

CARD = Card(
    chapter=4,
    citation="Polyak (1964), doi:10.1016/0041-5553(64)90137-5; Nesterov's form: Sutskever et al. (2013), ICML",
    tags=("first-order",),
    variants={
        "nesterov": Variant(
            {"nesterov": True},
            summary="Momentum with Nesterov's look-ahead: the gradient is taken where the velocity leads (chapter 4).",
        )
    },
    ranges={"learning_rate": "(0, inf)", "momentum": "[0, 1)"},
)


def step(g: tf.Tensor, v: tf.Tensor, epsilon: tf.Tensor, m: float, nesterov: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """The rule v <- m v - epsilon g, theta <- theta + v; Nesterov: theta <- theta + m v - epsilon g.

    Args:
        g: Gradient of the loss.
        v: Velocity, of the shape of `g`; zero at first.
        epsilon: Learning rate.
        m: Share of the velocity that is kept.
        nesterov: Whether to step with the velocity that the next step would have.

    Returns:
        What is added to theta, and the new velocity.
    """
    m = tf.constant(m, g.dtype)
    v = m * v - epsilon * g
    return (m * v - epsilon * g if nesterov else v), v


@register("momentum")
class Momentum(BaseOptimizer):
    """Momentum as a Keras optimizer; `build` has the options."""

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9, nesterov: bool = False, **base: Any) -> None:
        super().__init__(learning_rate, **base)
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The velocity."""
        return ("velocity",)

    def update_tensor(
        self, variable: tf.Variable, gradient: tf.Tensor, learning_rate: tf.Tensor, t: tf.Tensor, velocity: tf.Variable
    ) -> None:
        """Update one tensor and its velocity."""
        if _kernels.usable(variable):
            _kernels.momentum(variable, gradient, velocity, learning_rate, self.momentum, self.nesterov)
            return
        change, v = step(gradient, velocity, learning_rate, self.momentum, self.nesterov)
        velocity.assign(v)
        variable.assign_add(change)

    def get_config(self) -> dict[str, Any]:
        """The options as plain values."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


def build(*, learning_rate: float = 0.01, momentum: float = 0.9, nesterov: bool = False, **base: Any) -> Momentum:
    """Gradient descent with momentum.

    Args:
        learning_rate: The step, epsilon in the book; or a Keras schedule.
        momentum: Share of the velocity that each step keeps.
        nesterov: Whether to look ahead along the velocity before correcting it.
        **base: Options of every Keras optimizer.
    """
    return Momentum(learning_rate, momentum, nesterov, **base)
