"""Every first-order optimizer against the book's rule in NumPy, compiled by XLA and not."""

import numpy as np
import pytest

import fdl_zoo.optimizers as optimizers
from tests.unit.optimizers.oracles import CASES, Rates, path, random_steps, run

STEPS = 500


def make(case: str, rate):
    name, options = CASES[case]
    return getattr(optimizers, name).build(learning_rate=rate, **options)


@pytest.mark.parametrize("jit", [False, True], ids=["plain", "jit"])
@pytest.mark.parametrize("case", CASES)
def test_500_steps_in_float64(case, jit, float64):
    theta, gradients, rates = random_steps(STEPS, 7, seed=1)
    expected = path(case, theta, gradients, rates)
    actual = run(make(case, Rates(rates)), theta, gradients, jit)
    length = np.abs(np.diff(np.vstack([theta, expected]), axis=0)).sum(axis=0)
    assert np.all(np.abs(actual - expected) <= 1e-13 * (length + np.abs(theta)))


@pytest.mark.parametrize("jit", [False, True], ids=["plain", "jit"])
@pytest.mark.parametrize("case", CASES)
def test_500_steps_in_float32(case, jit):
    theta, gradients, rates = random_steps(STEPS, 7, seed=2)
    expected = path(case, theta, gradients, rates)
    actual = run(make(case, Rates(rates)), theta, gradients, jit)
    bound = 4 * np.finfo(np.float32).eps * np.sqrt(STEPS) * np.abs(expected).max()
    assert np.abs(actual - expected).max() <= bound


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e2])
def test_a_single_step_from_zero_in_float32(case, scale):
    gradients = (scale * np.array([[-1.5, 0.3, 0.7]])).astype(np.float32)
    rate = float(np.float32(0.01))
    expected = path(case, np.zeros(3, np.float32), gradients, [rate])
    np.testing.assert_allclose(run(make(case, rate), np.zeros(3, np.float32), gradients), expected, rtol=1e-6)
