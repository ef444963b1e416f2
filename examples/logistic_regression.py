"""Logistic regression on handwritten digits: softmax of Wx + b, trained, logged each epoch, and evaluated.

CHAPTER   Chapter 3; Implementing Neural Nets. in TF; Logistic Regression Model in TF;
          Logging & Training the Logistic Regression Model
CLAIM     Minibatch gradient descent finds weights W and b that classify most digits; cost and validation error, logged
          each epoch, fall.
EXPECTED  Test accuracy above 0.9 with 650 weights and SGD in batches of 100; the last validation error below the first.
"""

import numpy as np
from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Trains by minibatch SGD, as the notes' listing does."""
    accuracies, falls = [], []
    for seed in range(1 if quick else 5):
        run = train(
            folder, "logistic_regression", optimizer="sgd", learning_rate=0.1, batch_size=100,
            epochs=20 if quick else 100, seed=seed,
        )  # fmt: skip
        error = 1 - np.array(run.history["val_accuracy"])
        accuracies.append(run.metrics["test_accuracy"])
        falls.append((error[0], error[-1]))
    run.plot().savefig(folder / "curves.png")
    first, last = np.mean(falls, axis=0)
    holds = np.mean(accuracies) > 0.9 and last < first
    return Result(f"test accuracy {spread(accuracies)}; validation error {first:.3f} to {last:.3f}", holds)


if __name__ == "__main__":
    experiment(measure)
