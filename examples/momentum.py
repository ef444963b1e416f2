"""Momentum in an ill-conditioned valley.

CHAPTER   Momentum Based Optimization
CLAIM     A velocity that remembers past gradients cancels the oscillations that an ill-conditioned Hessian causes, and
          so converges faster.
EXPECTED  At condition numbers 30 to 300, each with its best fixed rates, momentum needs less than half the evaluations
          of gradient descent, and the more so the worse the condition.
"""

import numpy as np
from _common import Result, experiment


def measure(quick, folder):
    """Counts evaluations until the loss is 1e-10 of its start."""
    from fdl_zoo.analysis.landscapes import draw_paths, valley

    conditions = (3.0, 30.0) if quick else (30.0, 100.0, 300.0)
    found = valley(folder, conditions=conditions).numbers
    draw_paths("rosenbrock", folder, animation=False, steps=20 if quick else 300)
    count = np.array(found["evaluations"], float).reshape(len(conditions), -1)
    gains = count[:, 0] / count[:, 1]
    table = "; ".join(
        f"condition {condition:g}: {plain:.0f} against {momentum:.0f}"
        for condition, (plain, momentum) in zip(conditions, count[:, :2], strict=True)
    )
    return Result(
        f"evaluations of gradient descent against momentum: {table}",
        bool((gains > 2).all() and (np.diff(gains) > 0).all()),
    )


if __name__ == "__main__":
    experiment(measure)
