"""More-Thuente line search for a strong-Wolfe step, one evaluation at a time, in TensorFlow ops (chapter 4).

Along a direction d from a point x the loss is a function of one number, phi(a) = f(x + a d), with slope
phi'(a) = g(x + a d) . d. A step a satisfies the strong Wolfe conditions when

    phi(a) <= phi(0) + c1 a phi'(0)      (sufficient decrease)
    |phi'(a)| <= c2 |phi'(0)|            (curvature)

The search is in reverse communication: it never calls the loss. `start` names the first step to try, the caller
evaluates phi and phi' there, and `advance` answers with the next step to try, or with WOLFE or FAILED. All branches
are `tf.where` on float64 scalars, so it runs in a graph, in a loop and under XLA.

Source: J. J. More and D. J. Thuente, Line search algorithms with guaranteed sufficient decrease, ACM TOMS 20 (1994),
as dcsrch and dcstep of MINPACK-2.
"""

from typing import NamedTuple

import tensorflow as tf

SEARCHING, WOLFE, FAILED = 0.0, 1.0, 2.0

LONGEST_STEP = 1e10
MOST_EVALUATIONS = 20  # per search, as in L-BFGS-B
_NARROWEST = 1e-14  # relative width at which an interval holds no further float64 step


class Rules(NamedTuple):
    """The two constants of the strong Wolfe conditions, 0 < c1 < c2 < 1.

    Args:
        c1: Share of the decrease which the slope at zero promises that a step must bring.
        c2: Share of the slope at zero that may remain.
    """

    c1: float = 1e-4
    c2: float = 0.9


class Search(NamedTuple):
    """A search between two evaluations; every field is a float64 scalar, so that it packs into one vector.

    Args:
        step: The step to evaluate next; once the search has ended, the step that was evaluated last.
        loss: phi(0).
        slope: phi'(0), negative.
        best_step: The step of least loss so far, one end of the interval that holds a minimizer.
        best_loss: phi there.
        best_slope: phi' there.
        other_step: The other end of the interval.
        other_loss: phi there.
        other_slope: phi' there.
        bracketed: 1 when the interval is known to hold a minimizer.
        stage: 1 until a step has sufficient decrease and a rising slope, then 2.
        lower: The shortest step that may be tried next.
        upper: The longest step that may be tried next.
        width: Width of the interval.
        width_before: Width of the interval one evaluation earlier.
        evaluations: Evaluations in this search.
        status: SEARCHING, WOLFE or FAILED.
    """

    step: tf.Tensor
    loss: tf.Tensor
    slope: tf.Tensor
    best_step: tf.Tensor
    best_loss: tf.Tensor
    best_slope: tf.Tensor
    other_step: tf.Tensor
    other_loss: tf.Tensor
    other_slope: tf.Tensor
    bracketed: tf.Tensor
    stage: tf.Tensor
    lower: tf.Tensor
    upper: tf.Tensor
    width: tf.Tensor
    width_before: tf.Tensor
    evaluations: tf.Tensor
    status: tf.Tensor


def start(loss: tf.Tensor, slope: tf.Tensor, step: tf.Tensor) -> Search:
    """A new search along a descent direction, whose first step to evaluate is `step`.

    Args:
        loss: phi(0), a float64 scalar.
        slope: phi'(0), a float64 scalar; negative.
        step: The first step to try, a float64 scalar; positive.
    """
    zero = tf.zeros_like(step)
    ends = (zero, loss, slope)
    width = zero + LONGEST_STEP
    return Search(step, loss, slope, *ends, *ends, zero, zero + 1, zero, 5 * step, width, 2 * width, zero, zero)


def advance(search: Search, loss: tf.Tensor, slope: tf.Tensor, finite: tf.Tensor, rules: Rules) -> Search:
    """The search after the evaluation of `search.step`.

    Args:
        search: The search before it.
        loss: phi(search.step), a float64 scalar.
        slope: phi'(search.step), a float64 scalar.
        finite: False where the loss or the gradient is not finite; then a tenth of the step is tried next.
        rules: The constants of the strong Wolfe conditions.

    Returns:
        The search with the next `step`, or with `status` WOLFE (`step` satisfies the conditions) or FAILED (no such
        step was found; `step` is then the best one if its loss is lower than phi(0)).
    """
    search = search._replace(evaluations=search.evaluations + 1)
    status = tf.where(finite, _verdict(search, loss, slope, rules), _f64(SEARCHING))
    spent = search.evaluations >= MOST_EVALUATIONS
    shorter = search._replace(step=search.best_step + 0.1 * (search.step - search.best_step))
    following = choose(finite, _next_step(search, loss, slope, rules), shorter)
    ended = search._replace(status=tf.where(status == SEARCHING, _f64(FAILED), status))
    return choose((status != SEARCHING) | spent, ended, following)


def _verdict(search: Search, loss: tf.Tensor, slope: tf.Tensor, rules: Rules) -> tf.Tensor:
    """WOLFE, FAILED where rounding or the longest step stands in the way, or SEARCHING."""
    most_loss = search.loss + search.step * rules.c1 * search.slope
    wolfe = (loss <= most_loss) & (tf.abs(slope) <= rules.c2 * tf.abs(search.slope))
    stuck = _stuck(search)
    at_the_end = (search.step == LONGEST_STEP) & (loss <= most_loss) & (slope <= rules.c1 * search.slope)
    return tf.where(wolfe, _f64(WOLFE), tf.where(stuck | at_the_end, _f64(FAILED), _f64(SEARCHING)))


def _stuck(search: Search) -> tf.Tensor:
    """Whether the interval holds no step that differs from its ends."""
    outside = (search.step <= search.lower) | (search.step >= search.upper)
    narrow = search.upper - search.lower <= _NARROWEST * search.upper
    return (search.bracketed > 0) & (outside | narrow)


def _next_step(search: Search, loss: tf.Tensor, slope: tf.Tensor, rules: Rules) -> Search:
    """The interval narrowed by one evaluation, and the next step in it."""
    tilt = rules.c1 * search.slope
    most_loss = search.loss + search.step * tilt
    stage = tf.where((loss <= most_loss) & (slope >= 0), _f64(2.0), search.stage)
    # While the decrease is not yet sufficient, psi(a) = phi(a) - phi(0) - c1 a phi'(0) is interpolated instead of phi.
    tilt = tf.where((stage == 1) & (loss <= search.best_loss) & (loss > most_loss), tilt, _f64(0.0))
    best = (search.best_step, search.best_loss - search.best_step * tilt, search.best_slope - tilt)
    other = (search.other_step, search.other_loss - search.other_step * tilt, search.other_slope - tilt)
    trial = (search.step, loss - search.step * tilt, slope - tilt)
    best, other, step, bracketed = _interpolate(best, other, trial, search)
    narrowed = search._replace(
        best_step=best[0],
        best_loss=best[1] + best[0] * tilt,
        best_slope=best[2] + tilt,
        other_step=other[0],
        other_loss=other[1] + other[0] * tilt,
        other_slope=other[2] + tilt,
        bracketed=bracketed,
        stage=stage,
        step=step,
    )
    return _safeguard(narrowed)


def _safeguard(search: Search) -> Search:
    """The chosen step bisected where the interval shrinks too slowly, and the bounds of the step after it."""
    bracketed = search.bracketed > 0
    gap = search.other_step - search.best_step
    slow = bracketed & (tf.abs(gap) >= 0.66 * search.width_before)
    step = tf.where(slow, search.best_step + 0.5 * gap, search.step)
    ahead = step - search.best_step
    bounded = search._replace(
        width_before=tf.where(bracketed, search.width, search.width_before),
        width=tf.where(bracketed, tf.abs(gap), search.width),
        lower=tf.where(bracketed, tf.minimum(search.best_step, search.other_step), step + 1.1 * ahead),
        upper=tf.where(bracketed, tf.maximum(search.best_step, search.other_step), step + 4.0 * ahead),
        step=tf.clip_by_value(step, 0.0, LONGEST_STEP),
    )
    return bounded._replace(step=tf.where(_stuck(bounded), bounded.best_step, bounded.step))


def _interpolate(best: tuple, other: tuple, trial: tuple, search: Search) -> tuple:
    """One step of MINPACK-2's dcstep: four cases by the loss and the slope at the trial step.

    Args:
        best: Step, loss and slope of the best end.
        other: Step, loss and slope of the other end.
        trial: Step, loss and slope of what was evaluated.
        search: Tells whether a minimizer is bracketed, and the bounds of the step.

    Returns:
        The new best end, the new other end, the next step, and 1 where a minimizer is bracketed.
    """
    (x, fx, dx), (y, _, _), (t, ft, dt) = best, other, trial
    bracketed = search.bracketed > 0
    higher = ft > fx
    turned = tf.sign(dt) * tf.sign(dx) < 0
    flatter = tf.abs(dt) < tf.abs(dx)
    farthest = tf.where(t > x, search.upper, search.lower)

    from_best, _, _ = _cubic(best, trial)
    back, ratio, root = _cubic(trial, best)
    between, _, _ = _cubic(trial, other)
    quadratic = x + dx / ((fx - ft) / (t - x) + dx) / 2 * (t - x)
    secant = t + dt / (dt - dx) * (x - t)

    # 1. A higher loss: the minimum is bracketed.
    nearer = tf.abs(from_best - x) <= tf.abs(quadratic - x)
    first = tf.where(nearer, from_best, from_best + (quadratic - from_best) / 2)
    # 2. A lower loss and a slope of the other sign: the minimum is bracketed.
    second = tf.where(tf.abs(back - t) > tf.abs(secant - t), back, secant)
    # 3. A lower loss and a flatter slope of the same sign.
    cubic = tf.where((ratio < 0) & (root != 0), back, farthest)
    cubic_nearer = tf.abs(cubic - t) < tf.abs(secant - t)
    inside = tf.where(cubic_nearer, cubic, secant)
    limit = t + 0.66 * (y - t)
    inside = tf.where(t > x, tf.minimum(limit, inside), tf.maximum(limit, inside))
    outside = tf.where(tf.abs(cubic - t) > tf.abs(secant - t), cubic, secant)
    outside = tf.minimum(tf.maximum(outside, search.lower), search.upper)
    third = tf.where(bracketed, inside, outside)
    # 4. A lower loss and a slope of the same sign that is not flatter.
    fourth = tf.where(bracketed, between, farthest)

    step = tf.where(higher, first, tf.where(turned, second, tf.where(flatter, third, fourth)))
    new_other = choose(higher, trial, choose(turned, best, other))
    new_best = choose(higher, best, trial)
    return new_best, new_other, step, tf.where(higher | turned, _f64(1.0), search.bracketed)


def _cubic(start: tuple, end: tuple) -> tuple:
    """The minimizer of the cubic through two steps, losses and slopes; its place relative to the steps; its root."""
    (a, fa, da), (b, fb, db) = start, end
    theta = 3 * (fa - fb) / (b - a) + da + db
    scale = tf.maximum(tf.abs(theta), tf.maximum(tf.abs(da), tf.abs(db)))
    root = scale * tf.sqrt(tf.maximum((theta / scale) ** 2 - da / scale * (db / scale), 0))
    root = tf.where(b < a, -root, root)
    ratio = (root - da + theta) / (root - da + root + db)
    return a + ratio * (b - a), ratio, root


def choose(condition: tf.Tensor, yes, no):
    """The first of two equal structures of scalars where the condition holds, else the second."""
    return tf.nest.map_structure(lambda first, second: tf.where(condition, first, second), yes, no)


def _f64(value: float) -> tf.Tensor:
    return tf.constant(value, tf.float64)
