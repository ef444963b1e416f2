"""A linear neuron with two weights: the bowl, its elliptic contours, the delta rule, and its learning rate.

CHAPTER   Chapter 2; Training Feed-Forward Neural Nets.; Gradient Descent
CLAIM     The error is a bowl with elliptic contours; the steepest descent is perpendicular to them. A rate that is too
          small takes too long, one that is too big diverges.
EXPECTED  90 degrees between steps and contours; of 25 steps with 0.01, 0.5 and 1.05 of the limit 2 / (largest
          eigenvalue), only the middle one comes within 1 % of the least error.
"""

import numpy as np
from _common import Result, experiment


def angle(numbers):
    """Largest deviation from a right angle, in degrees, of a step of the path from the contour it leaves."""
    axes, eigenvalues = np.asarray(numbers["axes"]), np.asarray(numbers["eigenvalues"])
    path = np.asarray(numbers["path"])
    away = (path[:-1] - numbers["solution"]) @ axes  # along the ellipse's axes
    tangent = np.stack([-away[:, 1] * eigenvalues[1], away[:, 0] * eigenvalues[0]], axis=1) @ axes.T
    steps = np.diff(path, axis=0)
    moved = np.linalg.norm(steps, axis=1) > 1e-6
    cosine = (steps * tangent).sum(1)[moved] / np.linalg.norm(steps[moved], axis=1)
    return float(np.degrees(np.arcsin(np.abs(cosine / np.linalg.norm(tangent[moved], axis=1))).max()))


def measure(quick, folder):
    """Follows the delta rule at three rates, without a random number."""
    from fdl_zoo.analysis.landscapes import linear_neuron

    errors, drawn = {}, linear_neuron(folder)
    for share in (0.01, 0.5, 1.05):
        numbers = linear_neuron(folder / f"rate_{share:g}", rate=share).numbers
        errors[share] = np.asarray(numbers["errors"])
    best = float(np.min([values.min() for values in errors.values()]))
    excess = {share: float(values[-1] / best - 1) for share, values in errors.items()}
    diverges = errors[1.05][-1] > errors[1.05][0]
    bent = angle(drawn.numbers)
    table = ", ".join(f"{value:.2%} above the least at {share:g}" for share, value in excess.items())
    return Result(
        f"steps leave contours at 90 degrees within {bent:.0e}; after 25 steps the error is {table} of the limit",
        bent < 1e-3 and excess[0.5] < 0.01 < excess[0.01] and diverges,
    )


if __name__ == "__main__":
    experiment(measure)
