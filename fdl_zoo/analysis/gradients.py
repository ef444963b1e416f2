"""How far gradients reach: their length by layer, and by distance in time through a recurrent layer (chapter 7)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.analysis.layers import main_input

EXAMPLES = 64  # enough for a mean, and cheap


class GradientProbe:
    """The loss on some examples, differentiated by the weights of each layer, and by the states of a recurrent one.

    In inference mode, so that looking changes nothing about a training.

    Args:
        model: A compiled model; it is looked at, never changed.
        x: Inputs [examples, ...].
        y: Targets [examples, ...].

    Attributes:
        layers: The names of the layers that have trainable weights.
        recurrent: The recurrent layer whose states are looked at; None where the model has none, or is no chain of
            layers.
    """

    def __init__(self, model: keras.Model, x: np.ndarray, y: np.ndarray) -> None:
        self.model = model
        self._x, self._y = tf.constant(x), tf.constant(y)
        self._chain = chain(model)
        self.recurrent = next((each for each in self._chain if _has_states(each)), None)
        self._weighted = [layer for layer in model.layers if layer.trainable_variables]
        self.layers = [layer.name for layer in self._weighted]
        self._differentiated = tf.function(self._differentiate, autograph=False)

    def by_layer(self) -> np.ndarray:
        """The length of the gradient by all weights of each layer, of the mean loss [layers]."""
        return self.look()[0]

    def by_time(self) -> np.ndarray:
        """The length of the gradient by the recurrent layer's state after each step [time], mean over examples.

        The state is all that the layer hands on: for an LSTM output and memory together.
        """
        return self.look()[1]

    def look(self) -> tuple[np.ndarray, np.ndarray]:
        """Both: by layer [layers] and by time [time], which is empty without a recurrent layer."""
        by_layer, by_time = self._differentiated()
        return by_layer.numpy(), by_time.numpy()

    def _differentiate(self) -> tuple[tf.Tensor, tf.Tensor]:
        offsets = self._offsets()
        weights = [[each.value for each in layer.trainable_variables] for layer in self._weighted]
        with tf.GradientTape() as tape:
            tape.watch(offsets)
            outputs = self._forward(offsets) if self.recurrent is not None else self.model(self._x, training=False)
            loss = self.model.compute_loss(x=self._x, y=self._y, y_pred=outputs, training=False)
        by_weights, by_states = tape.gradient(loss, [weights, offsets], unconnected_gradients="zero")
        by_layer = [tf.linalg.global_norm([tf.convert_to_tensor(each) for each in found]) for found in by_weights]
        return tf.stack(by_layer), self._by_step(by_states)

    def _by_step(self, by_states: list[tf.Tensor]) -> tf.Tensor:
        """From gradients of the mean loss [time, examples, units] to the mean length of each example's own [time]."""
        if not by_states:
            return tf.zeros(0)
        squares = sum(tf.reduce_sum(tf.square(tf.cast(each, tf.float64)), -1) for each in by_states)  # [time, examples]
        return tf.reduce_mean(tf.sqrt(squares), 1) * tf.cast(tf.shape(self._x)[0], tf.float64)

    def _offsets(self) -> list[tf.Tensor]:
        """Zeros to be added to each state after each step [time, examples, units]: what they do, the state does."""
        if self.recurrent is None:
            return []
        count, steps = len(self._x), main_input(self.recurrent).shape[1] or self._x.shape[1]
        states = self.recurrent.get_initial_state(batch_size=count)
        return [tf.zeros((steps, *state.shape), self.recurrent.compute_dtype) for state in states]

    def _forward(self, offsets: list[tf.Tensor]) -> tf.Tensor:
        x, mask = self._x, None
        for layer in self._chain:
            following = layer.compute_mask(x, mask)
            x = unrolled(layer, x, mask, offsets) if layer is self.recurrent else layer(x)
            mask = following
        return x


def chain(model: keras.Model) -> list[Any]:
    """The layers after the input in the order in which they are applied; empty where they are no single chain."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    before = model.inputs[0]
    for layer in layers:
        try:
            if main_input(layer) is not before:
                return []
            before = layer.output
        except (AttributeError, ValueError):  # more than one input or output, or never called
            return []
    return layers if len(model.inputs) == 1 and before is model.outputs[0] else []


def _has_states(layer: Any) -> bool:
    return isinstance(layer, keras.layers.RNN) and not layer.go_backwards and not layer.stateful


def unrolled(layer: keras.layers.RNN, x: tf.Tensor, mask: Any, offsets: Sequence[tf.Tensor]) -> tf.Tensor:
    """What a recurrent layer gives, with something added to its states after each step.

    Args:
        layer: Whose cell's output is its first state, as is that of all of Keras's cells.
        x: Its inputs [examples, time, features].
        mask: Which of them are there [examples, time]; None for all.
        offsets: What is added to each state [time, examples, units].
    """
    steps = offsets[0].shape[0]
    inputs = _by_step(tf.transpose(tf.cast(x, layer.compute_dtype), (1, 0, 2)), steps)
    added = [_by_step(offset, steps) for offset in offsets]
    present = None if mask is None else _by_step(tf.transpose(tf.cast(mask, tf.bool)), steps)
    outputs = tf.TensorArray(offsets[0].dtype, steps, element_shape=offsets[0].shape[1:])

    def body(step: tf.Tensor, states: list[tf.Tensor], outputs: tf.TensorArray) -> tuple[Any, ...]:
        _, new = layer.cell(inputs.read(step), states)
        new = [state + offset.read(step) for state, offset in zip(new, added, strict=True)]
        if present is not None:
            kept = present.read(step)[:, None]
            new = [tf.where(kept, state, before) for state, before in zip(new, states, strict=True)]
        return step + 1, new, outputs.write(step, new[0])

    states = [tf.cast(state, layer.compute_dtype) for state in layer.get_initial_state(offsets[0].shape[1])]
    _, states, outputs = tf.while_loop(lambda step, *_: step < steps, body, (tf.constant(0), states, outputs))
    return tf.transpose(outputs.stack(), (1, 0, 2)) if layer.return_sequences else states[0]


def _by_step(values: tf.Tensor, steps: int) -> tf.TensorArray:
    return tf.TensorArray(values.dtype, steps).unstack(values)


def reach(by_time: np.ndarray, share: float = 0.01) -> int:
    """The furthest distance in time at which the gradient is still this share of its largest length.

    Args:
        by_time: Its length after each step [time]; the last step has distance 0.
        share: Of the largest.
    """
    by_distance = np.asarray(by_time)[::-1]
    far = np.flatnonzero(by_distance >= share * by_distance.max())
    return int(far[-1]) if by_distance.max() > 0 else 0
