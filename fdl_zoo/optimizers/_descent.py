"""Descent by direction and line search, one evaluation at a time: a pure function `(state, loss, gradient) -> state`.

Quasi-Newton and conjugate gradient methods (chapter 4) differ in one thing only, the direction that they choose from
past steps. The rest is here: search along the direction for a strong-Wolfe step, accept its point, ask for the next
direction. The caller evaluates loss and gradient at `state.trial` and hands them to `advance`; whether it does so in
a loop (`minimize`) or once per training step (`fit`) makes no difference.
"""

from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from fdl_zoo.errors import InvalidOption
from fdl_zoo.optimizers import _line_search as line_search
from fdl_zoo.optimizers._line_search import Rules, Search, choose

START, RUNNING, CONVERGED, SEARCH_FAILED, USED_UP = 0.0, 1.0, 2.0, 3.0, 4.0
STOP_REASONS = ("running", "running", "converged", "search failed", "evaluations used up")  # by phase

_LANES = 16


class Progress(NamedTuple):
    """Where a minimization stands; every field is a float64 scalar, so that it packs into one vector.

    Args:
        phase: START before the first evaluation, RUNNING, or why it stopped.
        loss: Loss at the accepted point.
        evaluations: Evaluations of loss and gradient.
        iterations: Accepted steps.
        pairs: Steps that the direction remembers; zero after a restart.
        restarted: 1 when the latest search failed and the memory was dropped.
    """

    phase: tf.Tensor
    loss: tf.Tensor
    evaluations: tf.Tensor
    iterations: tf.Tensor
    pairs: tf.Tensor
    restarted: tf.Tensor


class Limits(NamedTuple):
    """When a minimization stops.

    Args:
        tolerance: It has converged when no component of the gradient is larger.
        evaluations: It stops after so many evaluations of loss and gradient; infinity for no limit.
    """

    tolerance: float = 1e-5
    evaluations: float = float("inf")


class State(NamedTuple):
    """All that the next evaluation depends on.

    Args:
        trial: The point to evaluate next [n].
        point: The accepted point [n].
        gradient: The gradient there [n].
        direction: The direction of the search [n].
        search: A packed `Search` [17], float64.
        progress: A packed `Progress` [6], float64.
        rows: What the direction remembers row by row, written at each step.
        products: What it derives from them when it turns.
    """

    trial: tf.Tensor
    point: tf.Tensor
    gradient: tf.Tensor
    direction: tf.Tensor
    search: tf.Tensor
    progress: tf.Tensor
    rows: tuple[tf.Tensor, ...]
    products: tuple[tf.Tensor, ...]


class Pair(NamedTuple):
    """A step and the change of the gradient along it.

    Args:
        step: s = new point - old point [n].
        change: y = new gradient - old gradient [n].
        curvature: s.y, a float64 scalar.
        kept: Whether it is remembered; not where the curvature is lost in rounding.
        number: Pairs remembered before it, a float64 scalar.
    """

    step: tf.Tensor
    change: tf.Tensor
    curvature: tf.Tensor
    kept: tf.Tensor
    number: tf.Tensor


def check_search(c1: float, c2: float) -> None:
    """Refuse a search that no step can end.

    Raises:
        InvalidOption: It is not 0 < c1 < c2 < 1.
    """
    if not 0 < c1 < c2 < 1:
        raise InvalidOption(f"c1={c1} and c2={c2} cannot be: a strong-Wolfe search needs 0 < c1 < c2 < 1.")


class Direction(Protocol):
    """How a method turns: the one thing in which the methods differ. Shapes are a function of the parameter count n."""

    c1: float
    c2: float

    def row_shapes(self, count: int) -> tuple[tuple[int, ...], ...]:
        """Shapes of `rows`, of the parameters' dtype."""

    def product_shapes(self, count: int) -> tuple[tuple[tuple[int, ...], str | None], ...]:
        """Shapes and dtypes of `products`; None is the parameters' dtype."""

    def remember(self, rows: tuple, pair: Pair) -> tuple:
        """The rows with the pair in them if it is kept; runs at every evaluation, so it must be cheap."""

    def turn(
        self, rows: tuple, products: tuple, pair: Pair, gradient: tf.Tensor, previous: tf.Tensor
    ) -> tuple[tf.Tensor, tuple]:
        """The next direction [n] from `gradient` [n] and the `previous` direction [n], and the new products."""

    def first_step(self, search: Search, slope: tf.Tensor) -> tf.Tensor:
        """The first step to try along a direction of this slope, after a search that ended as given."""


def state_shapes(direction: Direction, count: int, dtype: tf.DType) -> State:
    """Shape and dtype of every tensor of the state, for `count` parameters."""
    vector = tf.TensorSpec([count], dtype)
    search, progress = (tf.TensorSpec([len(kind._fields)], tf.float64) for kind in (Search, Progress))
    rows = tuple(tf.TensorSpec(shape, dtype) for shape in direction.row_shapes(count))
    products = tuple(tf.TensorSpec(shape, kind or dtype) for shape, kind in direction.product_shapes(count))
    return State(vector, vector, vector, vector, search, progress, rows, products)


def initial_state(direction: Direction, point: tf.Tensor) -> State:
    """The state before the first evaluation, which is due at `point` [n]."""
    shapes = state_shapes(direction, point.shape[0], point.dtype)
    zeros = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), shapes)
    return zeros._replace(trial=point, point=point)


def advance(
    direction: Direction,
    limits: Limits,
    state: State,
    loss: tf.Tensor,
    gradient: tf.Tensor,
    heed: tf.Tensor | bool = True,
) -> State:
    """The state after one evaluation.

    Args:
        direction: The method.
        limits: When to stop.
        state: The state before it.
        loss: The loss at `state.trial`, a scalar.
        gradient: The gradient there [n].
        heed: False to leave the state as it is, because the evaluation was not made at `state.trial`.

    Returns:
        The next state. Once it has stopped, `trial` is the accepted point and further evaluations change nothing.
    """
    search, progress = Search(*tf.unstack(state.search)), Progress(*tf.unstack(state.progress))
    loss = tf.cast(loss, tf.float64)
    finite = tf.math.is_finite(loss) & tf.math.is_finite(inner(gradient, gradient))
    rules = Rules(direction.c1, direction.c2)
    searched = line_search.advance(search, loss, inner(gradient, state.direction), finite, rules)
    event = _event(progress, searched, loss, finite, heed)

    pair = _pair(state, search, gradient, progress.pairs, event.wolfe)
    rows = direction.remember(state.rows, pair)
    point = tf.where(event.accepted, state.trial, state.point)
    gradient = tf.where(event.accepted, gradient, state.gradient)
    steepest = largest(gradient)
    progress = _progress(progress, event, loss, pair.kept, steepest, limits)

    # A loop of one turn or none: XLA copies what a conditional hands through, and a loop's variables stay in place.
    _, turned, slope, pairs, products = tf.while_loop(
        lambda due, *_: due,
        lambda _, previous, slope, pairs, products: (
            False,
            *_turn(direction, previous, rows, products, pair, gradient, pairs),
        ),
        (event.turning, state.direction, search.slope, progress.pairs, state.products),
    )
    first_step = tf.where(pairs == 0, tf.math.rsqrt(-slope), direction.first_step(search, slope))
    started = line_search.start(progress.loss, slope, first_step)
    search = choose(event.turning, started, choose(event.searching, searched, search))
    moved = point + tf.cast(search.step, point.dtype) * turned
    trial = tf.where(progress.phase == RUNNING, moved, point)
    packed = tf.stack(search), tf.stack(progress._replace(pairs=pairs))
    return State(tf.where(event.heed, trial, state.trial), point, gradient, turned, *packed, rows, products)


class _Event(NamedTuple):
    """What an evaluation meant; booleans."""

    heed: tf.Tensor
    starting: tf.Tensor
    searching: tf.Tensor
    wolfe: tf.Tensor
    failed: tf.Tensor
    accepted: tf.Tensor

    @property
    def turning(self) -> tf.Tensor:
        """Whether a new direction is due."""
        return self.starting | self.wolfe | self.failed


def _event(progress: Progress, searched: Search, loss: tf.Tensor, finite: tf.Tensor, heed: tf.Tensor | bool) -> _Event:
    """What the evaluation meant."""
    heed = heed & (progress.phase <= RUNNING)
    starting, searching = heed & (progress.phase == START), heed & (progress.phase == RUNNING)
    wolfe = searching & (searched.status == line_search.WOLFE)
    failed = searching & (searched.status == line_search.FAILED)
    # A search that failed still gives its best step, if the loss is lower there.
    better = failed & finite & (loss < progress.loss)
    return _Event(heed, starting, searching, wolfe, failed, (starting & finite) | wolfe | better)


def _pair(state: State, search: Search, gradient: tf.Tensor, number: tf.Tensor, wolfe: tf.Tensor) -> Pair:
    """The step to the trial point and its change of gradient; kept unless its curvature is lost in rounding."""
    step, change = state.trial - state.point, gradient - state.gradient
    curvature = inner(step, change)
    least = np.finfo(step.dtype.as_numpy_dtype).eps * tf.abs(search.step * search.slope)
    return Pair(step, change, curvature, wolfe & (curvature > least), number)


def _progress(
    before: Progress, event: _Event, loss: tf.Tensor, kept: tf.Tensor, steepest: tf.Tensor, limits: Limits
) -> Progress:
    """The counts after the event, and whether it was the last."""
    forgotten = event.starting | event.failed
    after = Progress(
        phase=before.phase,
        loss=tf.where(event.accepted, loss, before.loss),
        evaluations=before.evaluations + tf.cast(event.heed, tf.float64),
        iterations=before.iterations + tf.cast(event.accepted & ~event.starting, tf.float64),
        pairs=tf.where(forgotten, _f64(0.0), before.pairs + tf.cast(kept, tf.float64)),
        restarted=tf.where(event.turning, tf.cast(event.failed, tf.float64), before.restarted),
    )
    # Steepest descent from the same point has failed already, or it failed after the memory was dropped.
    twice = event.failed & ((before.restarted > 0) | ((before.pairs == 0) & ~event.accepted))
    hopeless = twice | (event.starting & ~event.accepted)
    phase = tf.where(after.evaluations >= limits.evaluations, _f64(USED_UP), _f64(RUNNING))
    phase = tf.where(hopeless, _f64(SEARCH_FAILED), phase)
    phase = tf.where(event.accepted & (steepest <= limits.tolerance), _f64(CONVERGED), phase)
    return after._replace(phase=tf.where(event.heed, phase, before.phase))


def _turn(
    direction: Direction,
    previous: tf.Tensor,
    rows: tuple,
    products: tuple,
    pair: Pair,
    gradient: tf.Tensor,
    pairs: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tuple]:
    """The next direction, its slope, its pairs, its products; steepest descent where it does not descend."""
    turned, products = direction.turn(rows, products, pair, gradient, previous)
    turned = tf.where(pairs == 0, -gradient, turned)
    slope = inner(gradient, turned)
    descends = slope < 0  # false where it is not a number
    turned = tf.where(descends, turned, -gradient)
    slope = tf.where(descends, slope, -inner(gradient, gradient))
    return turned, slope, tf.where(descends, pairs, _f64(0.0)), products


def inner(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The inner product of two vectors [n] as a float64 scalar, summed in float64.

    Sixteen sums run side by side, for compilers keep the order of one sum and so cannot vectorize it.
    """
    product = tf.cast(a, tf.float64) * tf.cast(b, tf.float64)
    whole = product.shape[0] // _LANES * _LANES
    lanes = tf.reduce_sum(tf.reshape(product[:whole], [-1, _LANES]), 0)  # [lanes]
    return tf.reduce_sum(lanes) + tf.reduce_sum(product[whole:])


def largest(gradient: tf.Tensor) -> tf.Tensor:
    """The largest absolute component of a vector [n], as a float64 scalar."""
    return tf.cast(tf.reduce_max(tf.abs(gradient)), tf.float64)


def _f64(value: float) -> tf.Tensor:
    return tf.constant(value, tf.float64)
