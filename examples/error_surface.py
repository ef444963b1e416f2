"""The loss on the straight line from initial weights to a solution.

CHAPTER   Chapter 4; Understanding Gradient Descent
CLAIM     No troublesome local minimum lies on the line from random initial weights to the solution.
EXPECTED  The largest rise on the line is below 1 % of the initial loss (SGD on the MLP).
"""

import shutil

from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Trains with SGD and evaluates the loss along the line, in float64."""
    import fdl_zoo as fdl

    shares = []
    for seed in range(1 if quick else 3):
        run = train(folder, "mlp", optimizer="sgd", learning_rate=0.1, epochs=2 if quick else 30, seed=seed)
        found = fdl.surface(run, points=11 if quick else 41, root=folder / "mlruns")
        shares.append(found.bump[0] / found.initial_loss)
    for file in found.files:
        shutil.copy(file, folder)
    return Result(f"largest rise {spread(shares, 4)} of the initial loss", max(shares) < 0.01)


if __name__ == "__main__":
    experiment(measure)
