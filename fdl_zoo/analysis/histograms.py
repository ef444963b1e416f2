"""How weights and activations are distributed, and how that changes in training (chapters 3 and 5)."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.analysis.figure import SEQUENTIAL, drawing
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
RIDGES = 6  # looks that are drawn, one above the other


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


def histograms_figure(records: Sequence[Mapping[str, Any]], key: str, unit: str, caption: str) -> Any:
    """A panel per tensor or layer: its distribution before training, on the way and at the end, upwards.

    Args:
        records: With `epoch` and histograms by name under `key`.
        key: For example `weights`.
        unit: What the horizontal axis shows.
        caption: What the caption says.
    """
    names = list(records[0][key])
    shown = [records[index] for index in np.unique(np.linspace(0, len(records) - 1, RIDGES).round().astype(int))]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    caption += " Each curve is scaled to the same height."
    with drawing(caption, width=max(6.4, 2.7 * columns), height=0.3 + 2.5 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            _draw_ridges(axes, [(record["epoch"], record[key][name]) for record in shown])
            zeros = shown[-1][key][name]["zero_share"]
            title = _short(name) + (f"\n({100 * zeros:.0f} % zeros left out)" if zeros > 0.005 else "")
            axes.set_title(title, fontsize=9)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        for axes in panels[max(0, len(names) - columns) : len(names)]:
            axes.set_xlabel(unit, fontsize=10)
        for axes in panels[::columns]:
            axes.set_ylabel("epoch", fontsize=10)
    return figure


def _draw_ridges(axes: Any, found: list[tuple[int, Mapping[str, Any]]]) -> None:
    """Distributions one above the other, each scaled to its largest density; the first is the lowest."""
    from matplotlib import colormaps

    colours = colormaps[SEQUENTIAL](np.linspace(0.1, 0.85, len(found)))
    for level, ((_, each), colour) in reversed([*enumerate(zip(found, colours, strict=True))]):
        density = np.array([0, *each["density"], 0]) / max(each["density"])
        half = (each["high"] - each["low"]) / len(each["density"]) / 2
        places = np.array([each["low"] - half, *centres(each), each["high"] + half])
        axes.fill(places, level + 1.3 * density, facecolor=colour, alpha=0.8, edgecolor="white", linewidth=0.8)
    axes.set_yticks(range(len(found)), [str(epoch) for epoch, _ in found])
    axes.tick_params(labelsize=9)
    axes.locator_params(axis="x", nbins=5)


def _short(name: str) -> str:
    """The last parts of a path, as long as a panel is wide."""
    return name if len(name) <= 28 else "…" + name[-27:]
