"""Filters and feature maps of a convolutional network, and how little max pooling minds a shift (chapter 5)."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fdl_zoo.errors import InvalidOption

MAX_SHIFT = 3


@dataclass(frozen=True)
class Stage:
    """A convolution, and what follows until the next: its feature maps, and the maps after pooling.

    Args:
        convolution: The layer with the filters.
        maps: The layer that gives the feature maps: the last of those after the convolution (normalization,
            nonlinearity) that keep their shape, or itself.
        pooling: The max pooling of these maps; None where there is none.
    """

    convolution: Any
    maps: Any
    pooling: Any = None


def stages(model: keras.Model) -> list[Stage]:
    """The two-dimensional convolutions of a model in their order."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            found.append(_stage(model, layer))
    return found


def _stage(model: keras.Model, convolution: Any) -> Stage:
    maps = convolution
    while (after := _after(model, maps)) is not None:
        if isinstance(after, keras.layers.MaxPooling2D):
            return Stage(convolution, maps, after)
        if isinstance(after, keras.layers.Conv2D | keras.layers.Dense) or after.output.shape != maps.output.shape:
            break
        maps = after
    return Stage(convolution, maps)


def _after(model: keras.Model, layer: Any) -> Any:
    """The only layer that reads what this one gives; None where there are several or none."""
    readers = [each for each in model.layers if getattr(each, "input", None) is layer.output]
    return readers[0] if len(readers) == 1 else None


def stage_named(model: keras.Model, name: str | None) -> Stage | None:
    """The stage of the convolution with this name; the first by default, None if the model has none.

    Raises:
        InvalidOption: The model has no such convolution.
    """
    found = {stage.convolution.name: stage for stage in stages(model)}
    if name is None:
        return next(iter(found.values()), None)
    if name not in found:
        known = f"it has {', '.join(found)}" if found else "it has no convolution"
        raise InvalidOption(f"The layer {name!r} cannot be drawn: it is no convolution of the model; {known}.")
    return found[name]


def outputs_of(model: keras.Model, layers: dict[str, Any], x: np.ndarray) -> dict[str, np.ndarray]:
    """What layers give for inputs, in inference mode, by the names they are given [examples, ...]."""
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    found = keras.Model(inputs, {name: layer.output for name, layer in layers.items()})
    return {name: np.asarray(output) for name, output in found(x, training=False).items()}


def shifted(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images [examples, height, width, channels] moved by some pixels; what comes in is zero."""
    moved = np.zeros_like(x)
    height, width = x.shape[1:3]
    source = x[:, max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    moved[:, max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = source
    return moved


def relative_change(before: np.ndarray, after: np.ndarray) -> float:
    """How far maps move, relative to their own length; mean over examples."""
    lengths = [np.linalg.norm(each.reshape(len(each), -1), axis=1) for each in (after - before, before)]
    present = lengths[1] > 0
    return float(np.mean(lengths[0][present] / lengths[1][present])) if present.any() else 0.0


def shift_invariance(model: keras.Model, stage: Stage, x: np.ndarray, furthest: int = MAX_SHIFT) -> dict[str, Any]:
    """How much feature maps change when images are moved, with max pooling and without.

    What pooling gives is compared with as many values of the same map taken without looking: the first of each tile.
    The change is the length of the difference over that of the map, mean over images and the four directions.

    Args:
        model: A functional model.
        stage: With a pooling layer.
        x: Images [examples, height, width, channels].
        furthest: The largest shift in pixels.

    Returns:
        Columns `shift`, `feature_map`, `subsampled`, `max_pooled`, and `max_pooled_unchanged`: the share of active
        cells after pooling that stay within 10 %.
    """
    layers = {"maps": stage.maps, "pooled": stage.pooling}
    steps = stage.pooling.strides
    still = outputs_of(model, layers, x)
    columns: dict[str, list[float]] = {"shift": [], "feature_map": [], "subsampled": [], "max_pooled": []}
    columns["max_pooled_unchanged"] = []
    for shift in range(furthest + 1):
        moved = [
            outputs_of(model, layers, shifted(x, *way))
            for way in {(shift, 0), (-shift, 0), (0, shift), (0, -shift)}
        ]  # fmt: skip
        every = [slice(None, None, step) for step in steps]

        def thinned(maps: np.ndarray, every: list[slice] = every) -> np.ndarray:
            return maps[:, every[0], every[1]]

        columns["shift"].append(shift)
        columns["feature_map"].append(np.mean([relative_change(still["maps"], each["maps"]) for each in moved]))
        columns["subsampled"].append(
            np.mean([relative_change(thinned(still["maps"]), thinned(each["maps"])) for each in moved])
        )
        columns["max_pooled"].append(np.mean([relative_change(still["pooled"], each["pooled"]) for each in moved]))
        columns["max_pooled_unchanged"].append(np.mean([_unchanged(still["pooled"], each["pooled"]) for each in moved]))
    return {name: np.array(values) for name, values in columns.items()}


def _unchanged(before: np.ndarray, after: np.ndarray) -> float:
    active = before > 0
    return float(np.mean(abs(after - before)[active] <= 0.1 * before[active])) if active.any() else 1.0
