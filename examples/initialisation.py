"""The multilayer perceptron, with the book's initial weights and with uniform ones.

CHAPTER   MNIST
CLAIM     Initial weights of variance 2 / inputs make a deep network easier to optimize; uniform ones in [-1, 1) hurt.
EXPECTED  After five epochs of SGD at rate 0.1, He normal weights are ahead by more than 0.02 in validation accuracy.
"""

import numpy as np
from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Trains the same network from three kinds of initial weights."""
    found = {}
    for initializer in ("he_normal", "book_normal", "uniform"):
        for seed in range(1 if quick else 5):
            run = train(
                folder, {"name": "mlp", "initializer": initializer}, optimizer="sgd", learning_rate=0.1,
                batch_size=100, epochs=1 if quick else 5, seed=seed,
            )  # fmt: skip
            found.setdefault(initializer, []).append(run.history["val_accuracy"][-1])
    table = ", ".join(f"{name} {spread(values)}" for name, values in found.items())
    he, book, uniform = (np.mean(values) for values in found.values())
    return Result(f"validation accuracy: {table}", min(he, book) > uniform + 0.02)


if __name__ == "__main__":
    experiment(measure)
