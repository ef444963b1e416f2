"""Sigmoid, tanh and ReLU neurons separate two spirals; linear neurons come to one layer, and do not.

CHAPTER   Chapter 1
CLAIM     A network of linear neurons can be expressed without hidden layers and learns no more than one layer does;
          sigmoid, tanh and ReLU do. A softmax's outputs sum to one.
EXPECTED  Two spirals: linear below 0.75 of the validation points right, each nonlinearity above 0.9; the collapsed
          linear network gives the same outputs.
"""

import numpy as np
from _common import Result, experiment, spread, train


def collapsed(model):
    """Weights [inputs, outputs] and biases [outputs] of the one layer that a linear network comes to."""
    kernel = bias = None
    for layer in (layer for layer in model.layers if layer.get_weights()):
        weights, offsets = (each.astype(np.float64) for each in layer.get_weights())
        kernel, bias = (weights, offsets) if kernel is None else (kernel @ weights, bias @ weights + offsets)
    return kernel, bias


def measure(quick, folder):
    """Trains one network per activation and seed."""
    import keras

    found, difference = {}, 0.0
    for activation in ("linear", "sigmoid", "tanh", "relu"):
        for seed in range(1 if quick else 3):
            run = train(
                folder, {"name": "mlp", "activation": activation}, data="two_spirals", optimizer="adam",
                learning_rate=0.01, batch_size=100, epochs=2 if quick else 100, seed=seed,
            )  # fmt: skip
            found.setdefault(activation, []).append(run.history["val_accuracy"][-1])
            if activation == "linear":
                x = np.random.default_rng(seed).normal(size=(50, 2)).astype(np.float32)
                kernel, bias = collapsed(run.model)
                difference = max(difference, float(np.abs(run.model(x) - (x @ kernel + bias)).max()))
    probabilities = keras.ops.softmax(np.random.default_rng(0).normal(size=(50, 10)) * 10)
    total = float(np.abs(np.sum(probabilities, axis=1) - 1).max())
    means = {name: np.mean(values) for name, values in found.items()}
    table = ", ".join(f"{name} {spread(values)}" for name, values in found.items())
    holds = means.pop("linear") < 0.75 and min(means.values()) > 0.9 and difference < 1e-4 and total < 1e-6
    return Result(
        f"{table}; one layer instead differs by {difference:.0e}; softmax sums to 1 within {total:.0e}", holds
    )


if __name__ == "__main__":
    experiment(measure)
