"""Minimize any function of a tensor in one compiled loop: the core of the optimizers without Keras (chapter 4)."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import tensorflow as tf

from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.optimizers import _descent as descent
from fdl_zoo.optimizers._conjugate import Conjugate
from fdl_zoo.optimizers._dense import Dense
from fdl_zoo.optimizers._limited_memory import LimitedMemory

METHODS = {"lbfgs": LimitedMemory, "bfgs": Dense, "conjugate_gradient": Conjugate}


class Minimum(NamedTuple):
    """Where a minimization ended.

    Args:
        x: The accepted point of least loss, of the shape and dtype of `x0`.
        loss: The loss there, a float64 scalar.
        gradient: The gradient there, of the shape of `x`.
        evaluations: Evaluations of loss and gradient, an int64 scalar.
        iterations: Accepted steps, an int64 scalar.
        phase: Why it ended, as a float64 scalar; `stop_reason` says it in words.
    """

    x: tf.Tensor
    loss: tf.Tensor
    gradient: tf.Tensor
    evaluations: tf.Tensor
    iterations: tf.Tensor
    phase: tf.Tensor

    @property
    def stop_reason(self) -> str:
        """`converged`, `search failed` or `evaluations used up`; only outside a graph."""
        return descent.STOP_REASONS[int(self.phase)]


def minimize(
    value_and_gradient: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    x0: Any,
    method: Literal["lbfgs", "bfgs", "conjugate_gradient"] = "lbfgs",
    *,
    tolerance: float = 1e-5,
    max_evaluations: int = 15_000,
    jit_compile: bool = True,
    **options: Any,
) -> Minimum:
    """Minimize a smooth function from `x0`, wholly inside the graph.

    Args:
        value_and_gradient: Gives the loss, a scalar, and its gradient, of the shape of its argument, in TensorFlow ops.
        x0: Where to start: a float32 or float64 tensor or array of any shape.
        method: How directions are chosen.
        tolerance: It has converged when no component of the gradient is larger.
        max_evaluations: It stops after so many evaluations.
        jit_compile: Whether XLA compiles the loop; False where the function has ops that XLA lacks.
        **options: Options of the direction: `memory` of `lbfgs`, `c1` and `c2` of all.

    Returns:
        The minimum, the counts and the reason for stopping.

    Raises:
        InvalidOption: The method or an option is unknown, or an option is out of range.
        InvalidData: `x0` is neither float32 nor float64, or empty; or the function does not give a scalar and a
            gradient.
    """
    if method not in METHODS:
        raise InvalidOption(f"There is no method {method!r}: choose one of {', '.join(METHODS)}.")
    known = [field.name for field in dataclasses.fields(METHODS[method])]
    for option in options:
        if option not in known:
            raise InvalidOption(f"{method} has no option {option!r}: it has {', '.join(known)}.")
    direction = METHODS[method](**options)
    descent.check_search(direction.c1, direction.c2)
    x0 = tf.convert_to_tensor(x0)
    if x0.dtype not in (tf.float32, tf.float64):
        raise InvalidData(f"A point of dtype {x0.dtype.name} cannot be minimized from: give float32 or float64.")
    if not x0.shape.num_elements():
        raise InvalidData(f"A point of shape {tuple(x0.shape)} cannot be minimized from: it has no numbers in it.")
    _check_limits(tolerance, max_evaluations)
    limits = descent.Limits(tolerance, max_evaluations)

    def run(start: tf.Tensor) -> Minimum:
        def evaluate(state: descent.State) -> tuple[descent.State]:
            loss, gradient = _evaluated(value_and_gradient, tf.reshape(state.trial, start.shape))
            return (descent.advance(direction, limits, state, loss, tf.reshape(gradient, [-1])),)

        (end,) = tf.while_loop(
            lambda state: state.progress[0] <= descent.RUNNING,
            evaluate,
            (descent.initial_state(direction, tf.reshape(start, [-1])),),
        )
        phase, loss, evaluations, iterations, *_ = tf.unstack(end.progress)
        point, gradient = (tf.reshape(each, start.shape) for each in (end.point, end.gradient))
        counts = (tf.cast(each, tf.int64) for each in (evaluations, iterations))
        return Minimum(point, loss, gradient, *counts, phase)

    return tf.function(run, jit_compile=jit_compile, autograph=False)(x0)


def _check_limits(tolerance: Any, max_evaluations: Any) -> None:
    if not isinstance(tolerance, (int, float)) or not tolerance >= 0:
        raise InvalidOption(f"tolerance cannot be {tolerance!r}: it is a number from 0.")
    if not isinstance(max_evaluations, (int, float)) or not max_evaluations >= 1:
        raise InvalidOption(f"max_evaluations cannot be {max_evaluations!r}: it is a number from 1.")


def _evaluated(value_and_gradient: Callable[[tf.Tensor], Any], point: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss and gradient at a point, if that is what the function gives."""
    given = value_and_gradient(point)
    if not isinstance(given, (tuple, list)) or len(given) != 2 or any(each is None for each in given):
        raise InvalidData("The function cannot be minimized: it does not give a loss and its gradient.")
    loss, gradient = (tf.convert_to_tensor(each) for each in given)
    if loss.shape.num_elements() not in (1, None) or not gradient.shape.is_compatible_with(point.shape):
        raise InvalidData(
            f"The function cannot be minimized: it gives a loss of shape {tuple(loss.shape)} and a gradient of shape"
            f" {tuple(gradient.shape)}; give a scalar, and a gradient of the point's shape {tuple(point.shape)}."
        )
    return tf.reshape(loss, []), gradient
