"""Batches of 1, 100 and all examples, away from a saddle.

CHAPTER   Stochastic and Minibatch Gradient Descent
CLAIM     Batch gradient descent gets stuck at saddle points; a stochastic error surface leads away from flat regions,
          one example at a time approximates the error poorly, and minibatches are the way between.
EXPECTED  From a saddle's ridge the full batch never leaves; batches of 1 and 100 do; at the end batches of 1 scatter
          more than batches of 100.
"""

import numpy as np
from _common import Result, experiment


def measure(quick, folder):
    """Descends a saddle with noise that each batch averages."""
    from fdl_zoo.analysis.landscapes import batch_sizes

    left, scatter = {}, {}
    for seed in range(1 if quick else 10):
        for size, found in batch_sizes(folder, seed=seed).numbers.items():
            left.setdefault(size, []).append(found["left_the_ridge_at_step"])
            scatter.setdefault(size, []).append(found["scatter"])
    one, some, full = left
    gone = lambda size: [step for step in left[size] if step is not None]  # noqa: E731
    holds = not gone(full) and len(gone(one)) == len(left[one]) and len(gone(some)) == len(left[some])
    noise = {size: np.mean(values) for size, values in scatter.items()}
    table = ", ".join(
        f"batch {size}: {len(gone(size))} of {len(left[size])} left"
        + (f" (median step {np.median(gone(size)):.0f}), scatter {noise[size]:.3f}" if gone(size) else "")
        for size in left
    )
    return Result(table, holds and noise[one] > noise[some])


if __name__ == "__main__":
    experiment(measure)
