"""Backpropagation by hand, layer by layer in NumPy, beside TensorFlow's GradientTape (chapter 2).

Of a layer y = f(z), z = x W + b: from dE/dy follow dE/dz = dE/dy * f'(z), then dE/dW = x^T dE/dz, dE/db = sum over the
batch of dE/dz, and dE/dx = dE/dz W^T, which is dE/dy of the layer below. Of softmax with cross-entropy dE/dz is the
probabilities minus the targets, over the batch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fdl_zoo.analysis.figure import BLUE, ORANGE, drawing
from fdl_zoo.analysis.landscapes.demonstration import Demonstration, written

Layer = tuple[np.ndarray, np.ndarray, str]  # weights [inputs, outputs], biases [outputs], activation


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), written so that nothing overflows."""
    return 0.5 * (1 + np.tanh(0.5 * z))


# Of each activation the function of z, and its derivative from z and y.
ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "linear": (lambda z: z, lambda z, y: np.ones_like(z)),
    "sigmoid": (sigmoid, lambda z, y: y * (1 - y)),
    "tanh": (np.tanh, lambda z, y: 1 - y**2),
    "relu": (lambda z: np.maximum(z, 0), lambda z, y: (z > 0).astype(float)),
}


def forward(layers: Sequence[Layer], x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each layer its input [batch, inputs], its z and its y [batch, outputs]."""
    found = []
    for weights, biases, activation in layers:
        z = x @ weights + biases
        y = ACTIVATIONS[activation][0](z)
        found.append((x, z, y))
        x = y
    return found


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """The mean over the batch of -log softmax(logits)[target]; logits [batch, classes], targets [batch]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sum - shifted[np.arange(len(targets)), targets]).mean())


def backward(layers: Sequence[Layer], x: np.ndarray, targets: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The derivatives of the cross-entropy by weights and biases of each layer, from the last to the first.

    Args:
        layers: Weights, biases and activation of each.
        x: Inputs [batch, inputs].
        targets: Class indices [batch].

    Returns:
        Of each layer, in its order, dE/dW and dE/db.
    """
    passed = forward(layers, x)
    logits = passed[-1][2]
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    de_dy = probabilities.copy()
    de_dy[np.arange(len(targets)), targets] -= 1
    de_dy /= len(targets)
    gradients = []
    for (weights, _, activation), (inputs, z, y) in zip(reversed(layers), reversed(passed), strict=True):
        de_dz = de_dy * ACTIVATIONS[activation][1](z, y)
        gradients.append((inputs.T @ de_dz, de_dz.sum(axis=0)))
        de_dy = de_dz @ weights.T
    return gradients[::-1]


def by_tape(layers: Sequence[Layer], x: np.ndarray, targets: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same derivatives from TensorFlow's automatic differentiation."""
    activations = {"linear": tf.identity, "sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": tf.nn.relu}
    variables = [(tf.Variable(weights), tf.Variable(biases)) for weights, biases, _ in layers]
    with tf.GradientTape() as tape:
        y = tf.constant(x)
        for (weights, biases), (_, _, activation) in zip(variables, layers, strict=True):
            y = activations[activation](y @ weights + biases)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(targets), y))
    found = tape.gradient(loss, variables)
    return [(weights.numpy(), biases.numpy()) for weights, biases in found]


def network(seed: int = 0, sizes: Sequence[int] = (12, 9, 8, 7, 5)) -> list[Layer]:
    """Layers of all kinds of neurons with random weights: sigmoid, tanh, ReLU, and linear logits."""
    random = np.random.default_rng(seed)
    kinds = ("sigmoid", "tanh", "relu", "linear")
    return [
        (random.normal(size=(below, above)) / np.sqrt(below), random.normal(size=above) * 0.1, kind)
        for below, above, kind in zip(sizes[:-1], sizes[1:], kinds, strict=True)
    ]


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference, as a share of the largest value."""
    return float(np.abs(first - second).max() / np.abs(second).max())


def backpropagation(folder: str | Path, *, batch: int = 16, seed: int = 0) -> Demonstration:
    """Differentiate a network by hand, by the tape, and by differences of the loss, and compare.

    Args:
        folder: Where `backpropagation.png` and `backpropagation.json` are written.
        batch: Examples.
        seed: Of weights and examples.

    Returns:
        `by_layer`: of each layer the largest difference between hand and tape, as a share of the largest derivative;
        `step` and `by_differences`: that of central differences, by their step.
    """
    random = np.random.default_rng((seed, 1))
    layers = network(seed)
    x = random.normal(size=(batch, layers[0][0].shape[0]))
    targets = random.integers(0, layers[-1][0].shape[1], batch)
    hand, tape = backward(layers, x, targets), by_tape(layers, x, targets)
    by_layer = [max(difference(a, b) for a, b in zip(*pair, strict=True)) for pair in zip(hand, tape, strict=True)]
    steps = np.logspace(-12, -1, 23)
    errors = [difference(central_differences(layers, x, targets, step), hand[0][0]) for step in steps]
    numbers = {"by_layer": by_layer, "step": steps, "by_differences": errors}
    caption = (
        "Derivatives of the cross-entropy by the first layer's weights (sigmoid, tanh, ReLU and linear layers,"
        " float64): error of central differences by their step, beside backpropagation by hand against GradientTape."
    )
    with drawing(caption) as figure:
        axes = figure.add_subplot()
        axes.plot(steps, errors, marker="o", markersize=4, color=BLUE, label="central differences")
        axes.axhline(max(max(by_layer), 1e-17), color=ORANGE, linestyle="--", label="by hand, all layers")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("step of the differences")
        axes.set_ylabel("largest error, relative")
        axes.legend()
    return written(folder, "backpropagation", figure, numbers)


def central_differences(layers: Sequence[Layer], x: np.ndarray, targets: np.ndarray, step: float) -> np.ndarray:
    """(E(w + step) - E(w - step)) / (2 step) for every weight of the first layer."""
    weights, biases, activation = layers[0]
    found = np.zeros_like(weights)
    for index in np.ndindex(weights.shape):
        values = []
        for sign in (1, -1):
            moved = weights.copy()
            moved[index] += sign * step
            values.append(cross_entropy(forward([(moved, biases, activation), *layers[1:]], x)[-1][2], targets))
        found[index] = (values[0] - values[1]) / (2 * step)
    return found
