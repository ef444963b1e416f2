"""Conjugate gradient, Polak and Ribiere's, with a strong-Wolfe line search on the full batch (chapter 4)."""

from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card, Recipe
from fdl_zoo.optimizers._base import register
from fdl_zoo.optimizers._conjugate import Conjugate
from fdl_zoo.optimizers._quasi_newton import QuasiNewton

CARD = Card(
    chapter=4,
    citation="Nocedal and Wright, Numerical Optimization (2006), chapter 5; line search: More and Thuente (1994)",
    tags=("conjugate",),
    aliases=("cg",),
    capabilities=("full_batch",),
    ranges={
        "tolerance": "[0, inf)",
        "max_evaluations": "[1, inf)",
        "c1": "(0, 1)",
        "c2": "(0, 1)",
        "gradient_accumulation_steps": "[2, inf)",
    },
    recipes={"*": Recipe(batch_size="full", steps_per_epoch=20)},
)


@register("conjugate_gradient")
class ConjugateGradient(QuasiNewton):
    """Nonlinear conjugate gradient as a Keras optimizer; `build` has the options."""

    def __init__(
        self,
        tolerance: float = 1e-5,
        max_evaluations: int | None = None,
        c1: float = 1e-4,
        c2: float = 0.1,
        **base: Any,
    ) -> None:
        super().__init__(tolerance, max_evaluations, c1, c2, **base)

    def direction(self, count: int, dtype: tf.DType) -> Conjugate:
        """The negative gradient, bent by the previous direction."""
        return Conjugate(self.c1, self.c2)


def build(
    *,
    tolerance: float = 1e-5,
    max_evaluations: int | None = None,
    c1: float = 1e-4,
    c2: float = 0.1,
    gradient_accumulation_steps: int | None = None,
) -> ConjugateGradient:
    """Conjugate gradient with the line search of More and Thuente.

    Args:
        tolerance: It has converged when no component of the gradient is larger.
        max_evaluations: It stops after so many evaluations of loss and gradient.
        c1: Decrease that a step must bring, as a share of what the slope promises.
        c2: Slope that a step may leave, as a share of the slope before it; above c1, and small here.
        gradient_accumulation_steps: Number of equal batches that the full batch is cut into.
    """
    return ConjugateGradient(
        tolerance, max_evaluations, c1, c2, gradient_accumulation_steps=gradient_accumulation_steps
    )
