"""The gates of an LSTM over a sequence: what it keeps, what it writes, what it puts out (chapter 7)."""

from typing import Any

import keras
import numpy as np
from scipy.special import expit

from fdl_zoo.analysis.layers import input_and_mask

GATES = ("keep", "write", "output")
_COLUMNS = ("write", "keep", "candidate", "output")  # the order in which Keras lays them out


def lstm_layer(model: keras.Model) -> Any:
    """The first LSTM of a model, a bidirectional one's forward half; None where there is none."""
    for layer in model.layers:
        inner = getattr(layer, "forward_layer", layer)
        if isinstance(inner, keras.layers.LSTM):
            return inner
    return None


def gate_activations(layer: keras.layers.LSTM, x: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """How far each gate is open at each step, by the layer's own weights.

    Args:
        layer: A built LSTM.
        x: What it reads [examples, time, features].
        mask: Which steps are there [examples, time]; None for all. At the others memory and state stay what they are.

    Returns:
        `keep`, `write` and `output` between 0 and 1, NaN at steps that are not there, `memory` and `state` (what is
        put out), each [examples, time, units].
    """
    kernel, recurrent, bias = _weights(layer)
    gate, squash = (_numpy(function) for function in (layer.recurrent_activation, layer.activation))
    inputs = np.asarray(x, np.float64) @ kernel + bias  # [examples, time, 4 * units]
    state = memory = np.zeros((len(x), layer.units))
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*GATES, "memory", "state")}
    for step in range(x.shape[1]):
        logits = np.split(inputs[:, step] + state @ recurrent, 4, axis=-1)
        parts = dict(zip(_COLUMNS, logits, strict=True))
        there = np.ones((len(x), 1), bool) if mask is None else mask[:, step, None]
        opened = {name: np.where(there, gate(parts[name]), np.nan) for name in GATES}
        new = opened["keep"] * memory + opened["write"] * squash(parts["candidate"])
        memory, state = np.where(there, new, memory), np.where(there, opened["output"] * squash(new), state)
        for name, value in {**opened, "memory": memory, "state": state}.items():
            found[name].append(value)
    return {name: np.stack(values, axis=1) for name, values in found.items()}


def _weights(layer: keras.layers.LSTM) -> list[np.ndarray]:
    weights = [keras.ops.convert_to_numpy(each).astype(np.float64) for each in layer.weights[:3]]
    return weights if layer.use_bias else [*weights[:2], np.zeros(4 * layer.units)]


def _numpy(function: Any) -> Any:
    """A nonlinearity on arrays; the usual two by NumPy's own, which is ten times as fast at each of so many steps."""
    own = {keras.activations.sigmoid: expit, keras.activations.tanh: np.tanh}.get(function)
    return own or (lambda values: keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(values, "float64"))))


def inputs_of(model: keras.Model, layer: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """What the LSTM reads when the model is given x, and which steps are there: x, or what an embedding made of it."""
    owner = next(each for each in model.layers if getattr(each, "forward_layer", each) is layer)
    read, mask = input_and_mask(owner)
    if read is model.inputs[0]:
        return np.asarray(x), None
    if mask is None:
        return np.asarray(keras.Model(model.inputs[0], read)(x, training=False)), None
    values, there = keras.Model(model.inputs[0], [read, mask])(x, training=False)
    return np.asarray(values), np.asarray(there)


def gate_columns(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gates of one sequence in long form: step, unit, and each gate."""
    steps, units = found["keep"].shape
    columns = {"step": np.repeat(np.arange(steps), units), "unit": np.tile(np.arange(units), steps)}
    return columns | {name: found[name].ravel() for name in (*GATES, "memory", "state")}
