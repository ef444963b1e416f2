"""Each fused kernel does what the pure function does, in every type, and what the rules promise holds."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import fdl_zoo.optimizers as optimizers
from fdl_zoo.optimizers import _kernels, adagrad, adam, momentum, rmsprop, sgd
from tests.unit.optimizers.oracles import CASES, Rates, run

TOLERANCES = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 2e-6, "float64": 1e-14}
KERNELS = [case for case in CASES if "centered" not in case]
EPSILONS = {"float16": 1e-3, "bfloat16": 1e-3}  # what is not lost in half precision


def steps(case: str, dtype: str) -> np.ndarray:
    name, options = CASES[case]
    if "epsilon" in options and dtype in EPSILONS:
        options = {**options, "epsilon": EPSILONS[dtype]}
    variable = keras.Variable(np.linspace(-1, 1, 6).reshape(2, 3), dtype=dtype)
    optimizer = getattr(optimizers, name).build(learning_rate=0.01, **options)
    for index in range(8):
        gradient = np.random.default_rng(index).normal(size=(2, 3))
        optimizer.apply([tf.constant(gradient, dtype)], [variable])
    return np.concatenate([np.array(each.numpy(), np.float64).ravel() for each in [variable, *optimizer.variables[2:]]])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", KERNELS)
def test_kernels_are_the_pure_functions(case, dtype, monkeypatch):
    assert _kernels.usable(keras.Variable([1.0], dtype=dtype).value)
    fused = steps(case, dtype)
    monkeypatch.setattr(_kernels, "usable", lambda variable: False)
    tolerance = TOLERANCES[dtype]
    np.testing.assert_allclose(fused, steps(case, dtype), rtol=tolerance, atol=tolerance)


def test_kernels_are_left_to_xla_under_jit():
    used, variable = [], tf.Variable([1.0])

    @tf.function(jit_compile=True)
    def trace():
        used.append(_kernels.usable(variable))

    trace()
    assert used == [False]


# What must hold whatever the gradients are.

gradients = st.lists(st.floats(-100, 100).filter(lambda g: abs(g) > 1e-3), min_size=3, max_size=3)
some_gradients = st.lists(gradients, min_size=1, max_size=6).map(lambda rows: np.array(rows, np.float64))
laws = settings(max_examples=25, deadline=None)


def tensors(*values):
    return [tf.constant(value, tf.float64) for value in values]


def adam_changes(rows: np.ndarray, delta: float) -> list[np.ndarray]:
    s = r = tf.zeros(3, tf.float64)
    changes = []
    for t, row in enumerate(rows, 1):
        change, s, r = adam.step(tf.constant(row), s, r, tf.constant(t), *tensors(0.5), 0.9, 0.999, delta)
        changes.append(change.numpy())
    return changes


@laws
@given(some_gradients, st.integers(-20, 20))
def test_adam_does_not_see_the_scale_of_the_loss(rows, power):
    """Without delta, scaling all gradients by a power of two changes no bit."""
    for left, right in zip(adam_changes(rows, 0.0), adam_changes(rows * 2.0**power, 0.0), strict=True):
        np.testing.assert_array_equal(left, right)


@laws
@given(gradients)
def test_adams_first_step_is_the_rate(row):
    np.testing.assert_allclose(adam_changes(np.array([row]), 0.0)[0], 0.5 * np.sign(row), rtol=1e-12)


@laws
@given(some_gradients)
def test_adagrad_never_steps_further_than_its_rate(rows):
    r = tf.zeros(3, tf.float64)
    for row in rows:
        change, r = adagrad.step(tf.constant(row), r, *tensors(0.5), 0.0)
        assert np.all(np.abs(change.numpy()) <= 0.5 * (1 + 1e-12))


@laws
@given(some_gradients, st.floats(0.1, 0.99))
def test_rmsprop_never_steps_further_than_its_window_allows(rows, rho):
    r = tf.zeros(3, tf.float64)
    for row in rows:
        change, r, _ = rmsprop.step(tf.constant(row), r, None, None, *tensors(0.5), rho, 0.0)
        assert np.all(np.abs(change.numpy()) <= 0.5 / np.sqrt(1 - rho) * (1 + 1e-12))


@laws
@given(gradients)
def test_momentum_without_memory_is_gradient_descent(row):
    change, _ = momentum.step(*tensors(row, np.ones(3), 0.5), 0.0, False)
    np.testing.assert_array_equal(change.numpy(), -sgd.step(*tensors(row, 0.5)).numpy())


@laws
@given(gradients, gradients, st.floats(0, 0.99))
def test_nesterov_is_one_velocity_ahead(row, velocity, m):
    """Nesterov's step with v equals the plain step that follows the plain step, under the same gradient."""
    plain, v = momentum.step(*tensors(row, velocity, 0.5), m, False)
    ahead, _ = momentum.step(*tensors(row, velocity, 0.5), m, True)
    following, _ = momentum.step(tf.constant(row, tf.float64), v, *tensors(0.5), m, False)
    np.testing.assert_allclose(ahead.numpy(), following.numpy(), rtol=1e-12)
    assert plain is v


@pytest.mark.parametrize("case", CASES)
def test_each_weight_goes_its_own_way(case, float64):
    """Rules are elementwise: what happens to one weight does not depend on its neighbours."""
    random = np.random.default_rng(0)
    theta, rows, rates = random.normal(size=4), random.normal(size=(5, 4)), np.full(5, 0.1)
    name, options = CASES[case]
    make = getattr(optimizers, name).build
    together = run(make(learning_rate=Rates(rates), **options), theta, rows)
    alone = run(make(learning_rate=Rates(rates), **options), theta[2:3], rows[:, 2:3])
    np.testing.assert_array_equal(together[:, 2:3], alone)
