"""The line search on the six functions of More and Thuente's paper, step by step against SciPy's dcsrch."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize._dcsrch import DCSRCH

from fdl_zoo.optimizers import _line_search as line_search
from fdl_zoo.optimizers._line_search import Rules

advance = tf.function(line_search.advance, autograph=False)


def rational(a, b=2.0):
    return -a / (a**2 + b), (a**2 - b) / (a**2 + b) ** 2


def quintic(a, b=0.004):
    return (a + b) ** 5 - 2 * (a + b) ** 4, 5 * (a + b) ** 4 - 8 * (a + b) ** 3


def wavy(a, b=0.01, waves=39):
    base, slope = (1 - a, -1.0) if a <= 1 - b else (a - 1, 1.0)
    if abs(a - 1) < b:
        base, slope = (a - 1) ** 2 / (2 * b) + b / 2, (a - 1) / b
    angle = waves * np.pi / 2 * a
    return base + 2 * (1 - b) / (waves * np.pi) * np.sin(angle), slope + (1 - b) * np.cos(angle)


def yanai(b1, b2):
    def gamma(b):
        return np.sqrt(1 + b**2) - b

    def phi(a):
        left, right = np.sqrt((1 - a) ** 2 + b2**2), np.sqrt(a**2 + b1**2)
        return gamma(b1) * left + gamma(b2) * right, -gamma(b1) * (1 - a) / left + gamma(b2) * a / right

    return phi


FUNCTIONS = {  # with c1 and c2 of the paper's tables 1 to 6
    "rational": (rational, Rules(1e-3, 0.1)),
    "quintic": (quintic, Rules(0.1, 0.1)),
    "wavy": (wavy, Rules(0.1, 0.1)),
    "yanai_even": (yanai(0.001, 0.001), Rules(0.001, 0.001)),
    "yanai_left": (yanai(0.01, 0.001), Rules(0.001, 0.001)),
    "yanai_right": (yanai(0.001, 0.01), Rules(0.001, 0.001)),
}


def our_steps(phi, rules, first, run=advance):
    """Every step that is tried, and the verdict."""
    search = line_search.start(*(tf.constant(value, tf.float64) for value in (*phi(0.0), first)))
    steps = []
    while search.status == line_search.SEARCHING:
        steps.append(float(search.step))
        loss, slope = (tf.constant(value, tf.float64) for value in phi(steps[-1]))
        search = run(search, loss, slope, tf.math.is_finite(loss), rules)
    return steps, float(search.status)


def scipy_steps(phi, rules, first):
    search = DCSRCH(None, None, rules.c1, rules.c2, 1e-14, 0.0, line_search.LONGEST_STEP)
    step, *_, task = search._iterate(first, *phi(0.0), b"START")
    steps = []
    while task[:2] == b"FG" and len(steps) < line_search.MOST_EVALUATIONS:
        steps.append(step)
        step, *_, task = search._iterate(step, *phi(step), task)
    return steps, task


@pytest.mark.parametrize("first", [1e-3, 1e-1, 1e1, 1e3])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_step_is_that_of_minpack(name, first):
    phi, rules = FUNCTIONS[name]
    steps, status = our_steps(phi, rules, first)
    expected, task = scipy_steps(phi, rules, first)
    np.testing.assert_allclose(steps, expected, rtol=1e-9)
    assert (status == line_search.WOLFE) == (task[:4] == b"CONV")
    loss, slope = phi(steps[-1])
    assert loss <= phi(0.0)[0] + rules.c1 * steps[-1] * phi(0.0)[1]
    assert abs(slope) <= rules.c2 * abs(phi(0.0)[1])


def test_compiled_it_takes_the_same_steps():
    phi, rules = FUNCTIONS["wavy"]
    compiled = tf.function(line_search.advance, jit_compile=True, autograph=False)
    np.testing.assert_allclose(our_steps(phi, rules, 10.0, compiled)[0], our_steps(phi, rules, 10.0)[0], rtol=1e-9)


def test_a_loss_that_is_not_finite_shortens_the_step_tenfold():
    def walled(a):
        return (a**2 - a, 2 * a - 1) if a < 2 else (np.nan, np.nan)

    steps, status = our_steps(walled, Rules(), 100.0)
    assert steps[:3] == [100.0, 10.0, 1.0]
    assert status == line_search.WOLFE


def test_it_gives_up_after_its_evaluations_where_no_step_is_good():
    steps, status = our_steps(lambda a: (float(a > 0), -1.0), Rules(), 1.0)  # a cliff whose slope lies
    assert status == line_search.FAILED
    assert len(steps) <= line_search.MOST_EVALUATIONS


def test_a_loss_without_bound_ends_at_the_longest_step():
    steps, status = our_steps(lambda a: (-a, -1.0), Rules(), 1.0)
    assert status == line_search.FAILED
    assert steps[-1] == line_search.LONGEST_STEP
