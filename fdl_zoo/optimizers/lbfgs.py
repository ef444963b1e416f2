"""L-BFGS: quasi-Newton from the last few steps, with a strong-Wolfe line search on the full batch (chapter 4)."""

from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card, Recipe
from fdl_zoo.optimizers._base import register
from fdl_zoo.optimizers._limited_memory import LimitedMemory
from fdl_zoo.optimizers._quasi_newton import QuasiNewton

CARD = Card(
    chapter=4,
    citation="Liu and Nocedal (1989), doi:10.1007/BF01589116; line search: More and Thuente (1994)",
    tags=("quasi-newton",),
    aliases=("l_bfgs",),
    capabilities=("full_batch",),
    ranges={
        "memory": "[1, inf)",
        "tolerance": "[0, inf)",
        "max_evaluations": "[1, inf)",
        "c1": "(0, 1)",
        "c2": "(0, 1)",
        "gradient_accumulation_steps": "[2, inf)",
    },
    recipes={"*": Recipe(batch_size="full", steps_per_epoch=20)},
)


@register("lbfgs")
class LBFGS(QuasiNewton):
    """L-BFGS as a Keras optimizer; `build` has the options."""

    def __init__(
        self,
        memory: int = 10,
        tolerance: float = 1e-5,
        max_evaluations: int | None = None,
        c1: float = 1e-4,
        c2: float = 0.9,
        **base: Any,
    ) -> None:
        super().__init__(tolerance, max_evaluations, c1, c2, **base)
        self.memory = LimitedMemory(memory).memory

    def direction(self, count: int, dtype: tf.DType) -> LimitedMemory:
        """The direction from the last `memory` steps."""
        return LimitedMemory(self.memory, self.c1, self.c2)

    def get_config(self) -> dict[str, Any]:
        """The options as plain values."""
        return {**super().get_config(), "memory": self.memory}


def build(
    *,
    memory: int = 10,
    tolerance: float = 1e-5,
    max_evaluations: int | None = None,
    c1: float = 1e-4,
    c2: float = 0.9,
    gradient_accumulation_steps: int | None = None,
) -> LBFGS:
    """L-BFGS with the line search of More and Thuente.

    Args:
        memory: How many steps are remembered.
        tolerance: It has converged when no component of the gradient is larger.
        max_evaluations: It stops after so many evaluations of loss and gradient.
        c1: Decrease that a step must bring, as a share of what the slope promises.
        c2: Slope that a step may leave, as a share of the slope before it; above c1.
        gradient_accumulation_steps: Number of equal batches that the full batch is cut into.
    """
    return LBFGS(memory, tolerance, max_evaluations, c1, c2, gradient_accumulation_steps=gradient_accumulation_steps)
