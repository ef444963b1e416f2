"""The glue between descent by line search and Keras: one training step is one evaluation of loss and gradient.

`fit` evaluates loss and gradient where the weights are; `update` feeds both to the pure core of `_descent.py` and puts
the next trial point into the weights. The loss arrives through Keras's public `scale_loss` hook. All state is in the
optimizer's variables, so it is compiled, mirrored, saved and resumed, in the middle of a search too.

Every step must see the same objective: the whole training set as one batch, or as K equal batches with
`gradient_accumulation_steps=K`; no dropout, no batch normalization in training mode.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.errors import InvalidOption
from fdl_zoo.optimizers import _descent as descent
from fdl_zoo.optimizers._base import BaseOptimizer
from fdl_zoo.optimizers._descent import Direction, Limits, Progress, State

_REFUSED = ("learning_rate", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema")
_WITHOUT_MEANING = (*_REFUSED, "ema_momentum", "ema_overwrite_frequency")


class QuasiNewton(BaseOptimizer):
    """A Keras optimizer that searches along directions; a subclass says which.

    During `fit` the weights hold the trial point of a search; at the end of `fit` the accepted point. The callback
    `accepted_point` puts the accepted point in at every test and epoch end too.

    Args:
        tolerance: It has converged when no component of the gradient is larger.
        max_evaluations: It stops after so many evaluations of loss and gradient; None for no limit.
        c1: Decrease that a step must bring, as a share of what the slope promises.
        c2: Slope that a step may leave, as a share of the slope before it.
        **base: `gradient_accumulation_steps`, `loss_scale_factor` and `name` of a Keras optimizer.

    Raises:
        InvalidOption: An option contradicts a line search.
    """

    total_names = ("loss",)

    def __init__(self, tolerance: float, max_evaluations: int | None, c1: float, c2: float, **base: Any) -> None:
        _refuse(type(self).__name__, base)
        descent.check_search(c1, c2)
        super().__init__(
            learning_rate=1.0, **{key: value for key, value in base.items() if key not in _WITHOUT_MEANING}
        )
        self.tolerance, self.max_evaluations = tolerance, max_evaluations
        self.c1, self.c2 = c1, c2
        self.notice = ""
        self._loss = None

    # ---- what can be read

    @property
    def stop_reason(self) -> str:
        """`running`, `converged`, `search failed` or `evaluations used up`."""
        return descent.STOP_REASONS[int(self._read("phase"))]

    @property
    def evaluations(self) -> int:
        """Evaluations of loss and gradient so far."""
        return int(self._read("evaluations"))

    @property
    def steps(self) -> int:
        """Accepted steps so far; `iterations` counts batches, as in every Keras optimizer."""
        return int(self._read("iterations"))

    @property
    def accepted_loss(self) -> float:
        """The loss at the accepted point; zero before the first evaluation."""
        return self._read("loss")

    def _read(self, field: str) -> float:
        return float(self._state.progress.numpy()[Progress._fields.index(field)]) if self.built else 0.0

    # ---- what Keras calls

    def direction(self, count: int, dtype: tf.DType) -> Direction:
        """The method, for so many parameters of this dtype."""
        raise NotImplementedError  # abstract: each entry says its own

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the state for the variables; a second call changes nothing."""
        if self.built:
            return
        dtype = _common_dtype(variables)
        super().build(variables)
        count = sum(_sizes(variables))
        direction = self.direction(count, dtype)
        self._state = self._state_variables(direction, count, dtype)
        limits = Limits(self.tolerance, float("inf") if self.max_evaluations is None else self.max_evaluations)
        self._follow = _compiled(direction, limits)

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """Take note of the loss; Keras calls this before it differentiates."""
        self._loss = loss
        return super().scale_loss(loss)

    def replica_totals(self) -> list[tf.Tensor]:
        """The loss of this replica's share of the batch."""
        loss, self._loss = self._loss, None
        if loss is None:
            raise InvalidOption(
                f"{type(self).__name__} cannot step without the loss: LossScaleOptimizer and MultiOptimizer hide it, "
                "and a training loop of your own must call `optimizer.scale_loss(loss)` before it differentiates; "
                "use the optimizer by itself."
            )
        return [tf.cast(loss, tf.float64)]

    def update(
        self,
        gradients: Sequence[tf.Tensor],
        variables: Sequence[tf.Variable],
        learning_rate: tf.Tensor,
        totals: Sequence[tf.Tensor],
    ) -> None:
        """Feed one evaluation to the search and put the next trial point into the weights."""
        known = {self.index_of(variable): each for each, variable in zip(gradients, variables, strict=True)}
        weights = [tf.convert_to_tensor(variable.value) for variable in self.all_variables]
        gradient = [known.get(index, tf.zeros_like(value)) for index, value in enumerate(weights)]
        state = tf.nest.map_structure(lambda variable: tf.convert_to_tensor(variable.value), self._state)
        after, trial = self._follow(state, weights, totals[0], gradient)
        for variable, value in zip(tf.nest.flatten(self._state), tf.nest.flatten(after), strict=True):
            variable.value.assign(value)
        for variable, value in zip(self.all_variables, trial, strict=True):
            variable.value.assign(value)

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Leave the accepted point in the weights; Keras calls this at the end of `fit`."""
        self.show_accepted_point()

    # ---- which point the weights hold

    def show_accepted_point(self) -> None:
        """Put the accepted point into the weights. Training goes on from there, at the price of one evaluation."""
        if self.built and self._read("phase") > descent.START:
            self._put(self._state.point)

    def show_trial_point(self) -> None:
        """Put the point to evaluate next back into the weights, if they hold the accepted point."""
        held = self.built and self._read("phase") > descent.START
        if held:
            weights = flat([each.value for each in self.all_variables])
            if bool(tf.reduce_all(weights == self._state.point)):
                self._put(self._state.trial)

    def _put(self, point: keras.Variable) -> None:
        for variable, value in zip(self.all_variables, _parts(point.value, self.all_variables), strict=True):
            variable.assign(value)

    # ---- state

    def _state_variables(self, direction: Direction, count: int, dtype: tf.DType) -> State:
        """A variable for every tensor of the core's state, in its order, which is the order in a file."""
        return tf.nest.map_structure(
            lambda spec: self.add_variable(tuple(spec.shape), dtype=spec.dtype.name, name="descent"),
            descent.state_shapes(direction, count, dtype),
        )

    def get_config(self) -> dict[str, Any]:
        """The options as plain values."""
        base = {key: value for key, value in super().get_config().items() if key not in _WITHOUT_MEANING}
        own = {"tolerance": self.tolerance, "max_evaluations": self.max_evaluations, "c1": self.c1, "c2": self.c2}
        return {**base, **own}


@functools.cache
def _compiled(direction: Direction, limits: Limits) -> tf.types.experimental.PolymorphicFunction:
    """`_follow` compiled by itself, also where the model is not, for a search is two hundred operations on scalars.

    Optimizers of equal options and sizes share it, and so are compiled once in a process.
    """
    return tf.function(functools.partial(_follow, direction, limits), jit_compile=True, autograph=False)


def _follow(
    direction: Direction,
    limits: Limits,
    state: State,
    parts: list[tf.Tensor],
    loss: tf.Tensor,
    gradient: list[tf.Tensor],
) -> tuple[State, list[tf.Tensor]]:
    """The state after an evaluation at weights in these parts, wherever they are, and the trial point in such parts.

    At the trial point the search goes on. At the accepted point, where `fit` leaves them when it ends, the evaluation
    tells nothing new and the trial point is due, unless the loss is another there: then the data are others. Anywhere
    else somebody has set the weights. In both cases a new descent starts where they are.
    """
    phase, weights = state.progress[0], flat(parts)
    accepted = (phase > descent.START) & tf.reduce_all(weights == state.point)
    changed = accepted & _is_another(loss, state.progress[1], weights.dtype)
    at_trial = tf.reduce_all(weights == state.trial) & ~changed
    at_point = ~at_trial & accepted & ~changed
    phase = tf.where(at_trial | at_point, phase, tf.constant(descent.START, tf.float64))
    progress = tf.concat([phase[None], state.progress[1:]], 0)
    state = state._replace(trial=tf.where(at_point, state.trial, weights), progress=progress)
    state = descent.advance(direction, limits, state, loss, flat(gradient), heed=~at_point)
    return state, _parts(state.trial, parts)


def _is_another(loss: tf.Tensor, known: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Whether a loss differs from the one known by more than devices and compilers round; not where it is no number."""
    loss = tf.cast(loss, tf.float64)
    rounding = np.sqrt(np.finfo(dtype.as_numpy_dtype).eps) * tf.maximum(tf.constant(1.0, tf.float64), tf.abs(known))
    return tf.math.is_finite(loss) & (tf.abs(loss - known) > rounding)


def _sizes(tensors: Sequence[Any]) -> list[int]:
    return [math.prod(each.shape) for each in tensors]


def _parts(vector: tf.Tensor, like: Sequence[Any]) -> list[tf.Tensor]:
    """The parts of a vector [n] in the shapes of these tensors or variables."""
    return [tf.reshape(part, each.shape) for part, each in zip(tf.split(vector, _sizes(like)), like, strict=True)]


def flat(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """All elements of some tensors in one vector [n].

    Written part by part: XLA makes one loop of a concatenation and of what makes its parts, which asks of each element
    where it belongs, and takes half as long as a network's whole evaluation.
    """
    sizes = _sizes(tensors)
    vector = tf.zeros([sum(sizes)], tensors[0].dtype)
    for part, size, end in zip(tensors, sizes, itertools.accumulate(sizes), strict=True):
        vector = tf.raw_ops.TensorStridedSliceUpdate(
            input=vector, begin=[end - size], end=[end], strides=[1], value=tf.reshape(part, [size])
        )
    return vector


def _common_dtype(variables: Sequence[keras.Variable]) -> tf.DType:
    """The dtype that all variables share; a constraint is refused too, for it moves weights off the search's line."""
    dtypes = sorted({keras.backend.standardize_dtype(variable.dtype) for variable in variables})
    if dtypes not in (["float32"], ["float64"]):
        raise InvalidOption(f"Weights of {' and '.join(dtypes)} cannot be searched together: use float32 or float64.")
    for variable in variables:
        if getattr(variable, "constraint", None) is not None:
            raise InvalidOption(
                f"{variable.path} cannot have a constraint: it would move weights off the line that is searched; "
                "use a regularizer, or a first-order optimizer such as adam."
            )
    return tf.as_dtype(dtypes[0])


def _refuse(name: str, base: dict[str, Any]) -> None:
    """Refuse base options that change gradient or weights without changing the loss."""
    for option in _REFUSED:
        if base.get(option):
            raise InvalidOption(
                f"{name} cannot take {option}={base[option]!r}: its line search needs the gradient of the very loss "
                "that it is given, and finds the step by itself; leave the option out."
            )
