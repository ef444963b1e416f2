"""The pure core: counts against SciPy, strong Wolfe at every step, a loss that never rises, and what stops it."""

import functools
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen, rosen_der

from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.optimizers import _descent as descent
from fdl_zoo.optimizers import minimize
from fdl_zoo.optimizers._conjugate import Conjugate
from fdl_zoo.optimizers._dense import Dense
from fdl_zoo.optimizers._limited_memory import LimitedMemory

METHODS = ("lbfgs", "bfgs", "conjugate_gradient")
DIRECTIONS = (LimitedMemory(), Dense(), Conjugate())


def differentiated(loss):
    def value_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x)
        return value, tape.gradient(value, x)

    return value_and_gradient


@differentiated
def rosenbrock(x):
    return tf.reduce_sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def start(n):
    return np.tile([-1.2, 1.0], n // 2)


def trace(direction, value_and_gradient, x0, steps, most=float("inf"), tolerance=1e-6):
    """Every state of a descent, one evaluation at a time, until it stops."""
    limits = descent.Limits(tolerance, most)
    advance = tf.function(
        lambda s: descent.advance(direction, limits, s, *value_and_gradient(s.trial)), autograph=False
    )
    states = [descent.initial_state(direction, tf.constant(x0))]
    while len(states) <= steps and states[-1].progress[0] <= descent.RUNNING:
        states.append(advance(states[-1]))
    return states


@pytest.mark.parametrize(
    ("n", "iterations", "evaluations", "jit_compile"), [(2, 37, 45, False), (10, 75, 93, False), (10, 75, 93, True)]
)
def test_lbfgs_counts_as_scipy_does(n, iterations, evaluations, jit_compile):
    expected = scipy_minimize(
        rosen, start(n), jac=rosen_der, method="L-BFGS-B", options={"maxcor": 10, "gtol": 1e-6, "ftol": 0}
    )
    assert (expected.nit, expected.nfev) == (iterations, evaluations)
    found = minimize(rosenbrock, start(n), "lbfgs", memory=10, tolerance=1e-6, jit_compile=jit_compile)
    assert (int(found.iterations), int(found.evaluations)) == (iterations, evaluations)
    assert found.stop_reason == "converged"
    assert np.abs(rosen_der(found.x.numpy())).max() <= 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_the_minimum_of_rosenbrock(method):
    found = minimize(rosenbrock, start(10), method, tolerance=1e-8, jit_compile=False)
    np.testing.assert_allclose(found.x, np.ones(10), atol=1e-7)
    np.testing.assert_allclose(found.gradient, rosen_der(found.x.numpy()), atol=1e-9)
    assert found.stop_reason == "converged"


def test_bfgs_reaches_the_optimum_of_scipys_bfgs():
    expected = scipy_minimize(rosen, start(6), jac=rosen_der, method="BFGS", options={"gtol": 1e-8})
    found = minimize(rosenbrock, start(6), "bfgs", tolerance=1e-8, jit_compile=False)
    np.testing.assert_allclose(found.x, expected.x, atol=1e-8)


@pytest.mark.parametrize("direction", DIRECTIONS, ids=METHODS)
def test_every_accepted_step_satisfies_strong_wolfe_and_the_loss_never_rises(direction):
    states = trace(direction, rosenbrock, start(10), 400)
    accepted = [state for before, state in pairwise(states) if before.progress[3] < state.progress[3]]
    assert len(accepted) > 50
    points = [start(10), *(state.point.numpy() for state in accepted)]
    directions = [states[1].direction.numpy(), *(state.direction.numpy() for state in accepted)]
    for old, new, along in zip(points, points[1:], directions, strict=False):
        step = np.linalg.norm(new - old) / np.linalg.norm(along)
        slope = rosen_der(old) @ along
        assert rosen(new) <= rosen(old) + direction.c1 * step * slope * (1 - 1e-9)
        assert abs(rosen_der(new) @ along) <= direction.c2 * abs(slope) * (1 + 1e-9) + 1e-12
        assert rosen(new) < rosen(old)


@pytest.mark.parametrize("memory", [1, 3])
def test_the_limited_memory_direction_is_that_of_the_two_loop_recursion(memory):
    states = trace(LimitedMemory(memory), rosenbrock, start(6), 30)
    pairs, last = [], states[1]
    for state in states[2:]:
        if state.progress[3] > last.progress[3]:
            pairs = [*pairs, ((state.point - last.point).numpy(), (state.gradient - last.gradient).numpy())][-memory:]
            np.testing.assert_allclose(state.direction, two_loops(pairs, state.gradient.numpy()), rtol=1e-8)
            last = state
    assert len(pairs) == memory


def two_loops(pairs, gradient):
    """Algorithm 7.4 of Nocedal and Wright."""
    q, alphas = gradient.copy(), []
    for s, y in reversed(pairs):
        alphas.append(s @ q / (s @ y))
        q -= alphas[-1] * y
    s, y = pairs[-1]
    q *= s @ y / (y @ y)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - y @ q / (s @ y)) * s
    return -q


def test_the_limited_memory_direction_is_the_dense_one_for_a_single_pair():
    """Later the dense matrix keeps its first scale, which limited memory renews."""
    for one, other in zip(*(trace(each, rosenbrock, start(6), 25) for each in (LimitedMemory(), Dense())), strict=True):
        if one.progress[4] <= 1:
            np.testing.assert_allclose(one.trial, other.trial, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 4), st.sampled_from(range(3)))
def test_the_loss_never_rises_on_random_convex_problems(seed, decades, which):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    matrix = tf.constant(rotation @ np.diag(10 ** rng.uniform(-decades / 2, decades / 2, 6)) @ rotation.T)
    shift = tf.constant(rng.normal(size=6))
    losses = _losses(which, rng.normal(size=6) * 10 ** rng.uniform(-2, 2), matrix, shift)
    assert all(after <= before for before, after in pairwise(losses))
    assert losses[-1] < losses[0]


@functools.cache
def _descent_of(which):
    """The accepted losses of 60 evaluations on a quadratic plus softplus, in one graph."""

    def run(x0, matrix, shift):
        @differentiated
        def loss(x):
            q = 0.5 * tf.tensordot(x - shift, tf.linalg.matvec(matrix, x - shift), 1)
            return q + tf.reduce_sum(tf.math.softplus(x))

        def body(i, state, losses):
            state = descent.advance(DIRECTIONS[which], descent.Limits(1e-8), state, *loss(state.trial))
            return i + 1, state, losses.write(i, state.progress[1])

        begin = 0, descent.initial_state(DIRECTIONS[which], x0), tf.TensorArray(tf.float64, 60)
        return tf.while_loop(lambda i, *_: i < 60, body, begin)[2].stack()

    return tf.function(run, autograph=False)


def _losses(which, x0, matrix, shift):
    return _descent_of(which)(tf.constant(x0), matrix, shift).numpy()


@pytest.mark.parametrize("direction", DIRECTIONS, ids=METHODS)
def test_a_loss_that_is_not_finite_in_a_search_is_survived(direction):
    @differentiated
    def walled(x):
        return tf.reduce_sum(x - tf.math.log(x))  # not a number below 0; flat far above its minimum at 1

    states = trace(direction, walled, np.array([20.0, 30.0, 15.0]), 300)
    trials = np.array([state.trial.numpy() for state in states])
    assert (trials < 0).any(), "the wall was never hit"
    assert states[-1].progress[0] == descent.CONVERGED
    np.testing.assert_allclose(states[-1].point, np.ones(3), atol=2e-6)


def test_it_stops_where_the_start_is_not_finite():
    found = minimize(differentiated(lambda x: tf.reduce_sum(tf.math.log(x))), np.array([-1.0]), jit_compile=False)
    assert found.stop_reason == "search failed"
    assert int(found.evaluations) == 1
    np.testing.assert_array_equal(found.x, [-1.0])


def test_it_restarts_once_and_stops_where_no_step_helps():
    """A gradient that lies: uphill everywhere."""
    found = minimize(lambda x: (tf.reduce_sum(x**2), -2 * x), np.array([1.0, 2.0]), jit_compile=False)
    assert found.stop_reason == "search failed"
    np.testing.assert_array_equal(found.x, [1.0, 2.0])


@pytest.mark.parametrize("most", [1, 7, 30])
def test_evaluations_are_used_up(most):
    calls = []

    def counted(x):
        tf.py_function(lambda: calls.append(1), [], [])
        return rosenbrock(x)

    found = minimize(counted, start(10), max_evaluations=most, jit_compile=False)
    assert found.stop_reason == "evaluations used up"
    assert int(found.evaluations) == len(calls) == most
    assert float(found.loss) == pytest.approx(rosen(found.x.numpy()), rel=1e-12)


def test_points_of_any_shape_and_of_float32():
    target = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = minimize(
        lambda x: (tf.reduce_sum((x - target) ** 2), 2 * (x - target)), tf.zeros((2, 3)), jit_compile=False
    )
    assert found.x.dtype == tf.float32
    np.testing.assert_allclose(found.x, target, atol=1e-5)
    assert found.gradient.shape == (2, 3)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: (x**2, 2 * x), r"a loss of shape \(2,\)"),
        (lambda x: (tf.reduce_sum(x**2), 2 * x[:1]), r"a gradient of shape \(1,\)"),
        (lambda x: (tf.reduce_sum(x**2), None), "does not give a loss and its gradient"),
        (lambda x: tf.reduce_sum(x**2), "does not give a loss and its gradient"),
    ],
    ids=["vector", "short gradient", "no gradient", "loss alone"],
)
def test_a_function_that_gives_something_else_is_refused(function, message):
    with pytest.raises(InvalidData, match=message):
        minimize(function, start(2), jit_compile=False)


@pytest.mark.parametrize("limits", [{"tolerance": None}, {"tolerance": -1.0}, {"max_evaluations": 0}], ids=str)
def test_limits_that_cannot_be_are_refused(limits):
    with pytest.raises(InvalidOption, match=f"{next(iter(limits))} cannot be"):
        minimize(rosenbrock, start(2), **limits)


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidOption, match=r"no method 'newton'.*lbfgs"):
        minimize(rosenbrock, start(2), "newton")
    with pytest.raises(InvalidData, match=r"int64.*float32 or float64"):
        minimize(rosenbrock, np.array([1, 2]))
    with pytest.raises(InvalidOption, match=r"lbfgs has no option 'memorie'.*memory"):
        minimize(rosenbrock, start(2), "lbfgs", memorie=3)
    with pytest.raises(InvalidOption, match=r"c1=2.0 and c2=0.9 cannot be"):
        minimize(rosenbrock, start(2), c1=2.0)
    with pytest.raises(InvalidOption, match="memory=0 cannot be"):
        minimize(rosenbrock, start(2), memory=0)
    with pytest.raises(InvalidData, match=r"shape \(0,\).*no numbers"):
        minimize(rosenbrock, np.zeros(0))
