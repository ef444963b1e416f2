"""How weights and activations are distributed, and how that changes in training (chapters 3 and 5)."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.analysis.layers import main_input

BINS = 60
_THE_SAME_VALUES = (
    keras.layers.InputLayer,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Dropout,
    keras.layers.MaxPooling2D,
)
_NONLINEARITY = (keras.layers.Activation, keras.layers.ReLU, keras.layers.BatchNormalization)


def histogram(values: np.ndarray) -> dict[str, Any]:
    """A distribution as plain values: `low`, `high`, `density` [bins] between them, `mean`, `deviation`, `zero_share`.

    The density is that of the values that are not zero: a layer with ReLU has so many zeros that nothing else would
    show.

    Args:
        values: Of any shape; those that are not finite are left out.
    """
    every = np.asarray(values, np.float64).ravel()
    every = every[np.isfinite(every)]
    flat = every[every != 0]
    if not len(flat):
        flat = np.zeros(1)
    low, high = float(flat.min()), float(flat.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = int(np.clip(2 * np.sqrt(len(flat)), 10, BINS))  # fewer for few values, or the shape would be noise
    counts, _ = np.histogram(flat, bins, (low, high))
    density = counts / (len(flat) * (high - low) / bins)
    return {
        "low": low,
        "high": high,
        "density": density.tolist(),
        "mean": float(every.mean()) if len(every) else 0.0,
        "deviation": float(every.std()) if len(every) else 0.0,
        "zero_share": float(np.mean(every == 0)) if len(every) else 0.0,
    }


def weight_histograms(model: keras.Model) -> dict[str, dict[str, Any]]:
    """The distribution of each trainable tensor of at least two axes; biases and the like are too few to be one."""
    tensors = {variable.path: variable for variable in model.trainable_variables if len(variable.shape) > 1}
    return {path: histogram(keras.ops.convert_to_numpy(variable)) for path, variable in tensors.items()}


class ActivationProbe:
    """What each layer of a functional model gives for some examples, after its nonlinearity, in inference mode.

    A layer whose output a normalization or nonlinearity reads is not looked at by itself, nor is what only moves values
    about.

    Args:
        model: A functional model.
        x: Inputs [examples, ...].
    """

    def __init__(self, model: keras.Model, x: np.ndarray) -> None:
        read = {id(main_input(layer)) for layer in model.layers if isinstance(layer, _NONLINEARITY)}
        layers = [layer for layer in model.layers if not isinstance(layer, _THE_SAME_VALUES)]
        layers = [layer for layer in layers if id(layer.output) not in read]
        outputs = {layer.name: layer.output for layer in layers if isinstance(layer.output, keras.KerasTensor)}
        inner = keras.Model(model.inputs[0] if len(model.inputs) == 1 else model.inputs, outputs)
        self._x = tf.constant(x)
        self._outputs = tf.function(lambda x: inner(x, training=False), autograph=False)

    def look(self) -> dict[str, np.ndarray]:
        """The output of each layer by its name [examples, ...]."""
        return {name: output.numpy() for name, output in self._outputs(self._x).items()}


def dead_share(output: np.ndarray) -> float:
    """The share of units that are zero for every example: what ReLU has switched off.

    Args:
        output: Of a layer [examples, ..., units]; a feature map counts as one unit.
    """
    return float(np.mean(~output.reshape(-1, output.shape[-1]).any(axis=0)))


def histogram_columns(records: Sequence[Mapping[str, Any]], key: str) -> dict[str, list[Any]]:
    """All histograms in long form: epoch, name, the bin's centre, density."""
    columns: dict[str, list[Any]] = {"epoch": [], "name": [], "value": [], "density": []}
    for record in records:
        for name, found in record[key].items():
            columns["epoch"] += [record["epoch"]] * len(found["density"])
            columns["name"] += [name] * len(found["density"])
            columns["value"] += centres(found).tolist()
            columns["density"] += found["density"]
    return columns


def centres(found: Mapping[str, Any]) -> np.ndarray:
    """The centres of a histogram's bins [bins]."""
    edges = np.linspace(found["low"], found["high"], len(found["density"]) + 1)
    return (edges[1:] + edges[:-1]) / 2
