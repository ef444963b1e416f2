"""Batch normalization at learning rates at which the plain network fails, and without dropout.

CHAPTER   Batch Normalization
CLAIM     Normalizing each layer's logits over the batch allows higher learning rates.
EXPECTED  SGD at rate 5 for five epochs: the plain MLP stays at chance (validation accuracy below 0.3), the normalized
          one is above 0.85.
"""

import numpy as np
from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Trains the MLP with and without it at three rates."""
    found = {}
    for rate in (5.0,) if quick else (0.1, 1.0, 5.0):
        for name, normalized in (("plain", False), ("normalized", True)):
            for seed in range(1 if quick else 3):
                run = train(
                    folder, {"name": "mlp", "batch_norm": normalized}, optimizer="sgd", learning_rate=rate,
                    batch_size=100, epochs=1 if quick else 5, seed=seed,
                )  # fmt: skip
                found.setdefault((rate, name), []).append(run.history["val_accuracy"][-1])
    table = "; ".join(f"rate {rate:g} {name} {spread(values)}" for (rate, name), values in found.items())
    plain, normalized = (np.mean(found[5.0, name]) for name in ("plain", "normalized"))
    return Result(f"validation accuracy: {table}", bool(plain < 0.3 and normalized > 0.85))


if __name__ == "__main__":
    experiment(measure)
