"""BFGS: quasi-Newton with a dense inverse Hessian, and a strong-Wolfe line search on the full batch (chapter 4)."""

import logging
from typing import Any

import tensorflow as tf

from fdl_zoo.card import Card, Recipe
from fdl_zoo.errors import InvalidOption
from fdl_zoo.optimizers._base import register
from fdl_zoo.optimizers._dense import Dense
from fdl_zoo.optimizers._limited_memory import LimitedMemory
from fdl_zoo.optimizers._quasi_newton import QuasiNewton

CARD = Card(
    chapter=4,
    citation="Nocedal and Wright, Numerical Optimization (2006), chapter 6; line search: More and Thuente (1994)",
    tags=("quasi-newton",),
    capabilities=("full_batch",),
    ranges={
        "dense_parameters": "[0, inf)",
        "memory": "[1, inf)",
        "tolerance": "[0, inf)",
        "max_evaluations": "[1, inf)",
        "c1": "(0, 1)",
        "c2": "(0, 1)",
        "gradient_accumulation_steps": "[2, inf)",
    },
    recipes={"*": Recipe(batch_size="full", steps_per_epoch=20)},
)


@register("bfgs")
class BFGS(QuasiNewton):
    """BFGS as a Keras optimizer; `build` has the options. `notice` says where it uses limited memory instead."""

    def __init__(
        self,
        dense_parameters: int = 5_000,
        memory: int = 10,
        tolerance: float = 1e-5,
        max_evaluations: int | None = None,
        c1: float = 1e-4,
        c2: float = 0.9,
        **base: Any,
    ) -> None:
        super().__init__(tolerance, max_evaluations, c1, c2, **base)
        if memory < 1:
            raise InvalidOption(f"memory={memory} cannot be: limited memory remembers at least one step.")
        self.dense_parameters = dense_parameters
        self.memory = memory

    def direction(self, count: int, dtype: tf.DType) -> Dense | LimitedMemory:
        """The dense matrix up to `dense_parameters`; above it limited memory, and a notice that says so."""
        if count <= self.dense_parameters:
            return Dense(self.c1, self.c2)
        size = count**2 * dtype.size / 1e9
        self.notice = f"bfgs: limited memory; the dense matrix of {count:,} parameters would need {size:.2g} GB"
        logging.getLogger("fdl_zoo").warning(self.notice)
        return LimitedMemory(self.memory, self.c1, self.c2)

    def get_config(self) -> dict[str, Any]:
        """The options as plain values."""
        return {**super().get_config(), "dense_parameters": self.dense_parameters, "memory": self.memory}


def build(
    *,
    dense_parameters: int = 5_000,
    memory: int = 10,
    tolerance: float = 1e-5,
    max_evaluations: int | None = None,
    c1: float = 1e-4,
    c2: float = 0.9,
    gradient_accumulation_steps: int | None = None,
) -> BFGS:
    """BFGS with the line search of More and Thuente.

    Args:
        dense_parameters: Up to so many parameters the matrix is dense; above, limited memory is used and said.
        memory: How many steps limited memory remembers.
        tolerance: It has converged when no component of the gradient is larger.
        max_evaluations: It stops after so many evaluations of loss and gradient.
        c1: Decrease that a step must bring, as a share of what the slope promises.
        c2: Slope that a step may leave, as a share of the slope before it; above c1.
        gradient_accumulation_steps: Number of equal batches that the full batch is cut into.
    """
    return BFGS(
        dense_parameters,
        memory,
        tolerance,
        max_evaluations,
        c1,
        c2,
        gradient_accumulation_steps=gradient_accumulation_steps,
    )
