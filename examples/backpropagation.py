"""Backpropagation by hand, layer by layer, beside automatic differentiation.

CHAPTER   Backpropagation
CLAIM     From the error's derivatives by one layer's activities follow those of the layer below, and of every weight.
EXPECTED  By hand as by TensorFlow's tape, to rounding (relative difference below 1e-12 in float64), over five networks.
"""

from _common import Result, experiment


def measure(quick, folder):
    """Differentiates networks of sigmoid, tanh, ReLU and linear layers both ways."""
    from fdl_zoo.analysis.landscapes import backpropagation

    found = [max(backpropagation(folder, seed=seed).numbers["by_layer"]) for seed in range(1 if quick else 5)]
    return Result(f"largest relative difference {max(found):.1e}", max(found) < 1e-12)


if __name__ == "__main__":
    experiment(measure)
