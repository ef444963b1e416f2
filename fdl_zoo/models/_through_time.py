"""A recurrent layer that is differentiated through time by hand, for training (chapter 7).

The gradient of a loop over time, as Keras's layers have it, is a loop that multiplies for the weights in every turn and
adds the product to a sum. Here a turn hands on the gradient of the state alone, which is all that depends on the turn
before it; the gradients of the weights, and what the inputs contribute, are one product each over all time steps.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

# The gradient by what goes into a nonlinearity, from its value and the gradient by that.
SLOPES: dict[str, Callable[[Any, Any], Any]] = {
    "tanh": lambda value, above: above * (1 - value * value),
    "relu": lambda value, above: ops.where(value > 0, above, ops.zeros_like(above)),
    "sigmoid": lambda value, above: above * value * (1 - value),
    "linear": lambda value, above: above,
}


def scaled_gradient(weight: Any, scale: float) -> Any:
    """The weight itself, exactly, whose gradient is multiplied by `scale`."""
    constant = ops.stop_gradient(weight)
    return constant + scale * (weight - constant)


def last_state(activation: str, sequences: Any, mask: Any, state: Any, weights: tuple[Any, Any, Any]) -> Any:
    """The state after the last time step, h <- activation(x kernel + bias + h recurrent), in TensorFlow.

    Args:
        activation: One of `SLOPES`.
        sequences: x [batch, time, features]; the number of time steps is known.
        mask: [batch, time], True where a step counts, or None; another leaves the state as it is.
        state: h at first [batch, units].
        weights: kernel [features, units], recurrent [units, units] and bias [units].

    Returns:
        h [batch, units].
    """
    import tensorflow as tf

    time, apply, slope = sequences.shape[1], keras.activations.get(activation), SLOPES[activation]
    live = None if mask is None else tf.transpose(mask)[..., None]  # [time, batch, 1]

    def chosen(step: tf.Tensor, new: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        return new if live is None else tf.where(tf.gather(live, step), new, other)

    @tf.custom_gradient
    def run(sequences: Any, state: Any, kernel: Any, recurrent: Any, bias: Any) -> tuple[Any, Callable]:
        inputs = tf.transpose(sequences, [1, 0, 2])
        driven = tf.tensordot(inputs, kernel, 1) + bias  # [time, batch, units]

        def forwards(step: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            after = chosen(step, apply(tf.gather(driven, step) + tf.matmul(before, recurrent)), before)
            return after, after

        last, states = _over_time(range(time), forwards, state)

        def gradient(above: Any) -> tuple[Any, ...]:
            def backwards(step: tf.Tensor, above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                logits = chosen(step, slope(tf.gather(states, step), above), tf.zeros_like(above))
                return chosen(step, tf.matmul(logits, recurrent, transpose_b=True), above), logits

            below, logits = _over_time(range(time)[::-1], backwards, above)  # the gradients by state and logits
            before = tf.concat([state[None], states[:-1]], 0)
            return (
                tf.transpose(tf.tensordot(logits, kernel, [[2], [1]]), [1, 0, 2]),
                below,
                tf.tensordot(inputs, logits, [[0, 1], [0, 1]]),
                tf.tensordot(before, logits, [[0, 1], [0, 1]]),
                tf.reduce_sum(logits, [0, 1]),
            )

        return last, gradient

    return run(sequences, state, *map(tf.convert_to_tensor, weights))  # their values: what is differentiated is given


def _over_time(steps: range, turn: Callable[[Any, Any], tuple[Any, Any]], first: Any) -> tuple[Any, Any]:
    """A value handed on from step to step, and what each step adds.

    Args:
        steps: The time steps, from the first one or from the last.
        turn: A step and the value before it to the value after it, and to what is kept of it, of the same shape.
        first: The value at first [batch, units].

    Returns:
        The value at last, and what was kept [time, batch, units].
    """
    import tensorflow as tf

    def body(index: Any, value: Any, kept: Any) -> tuple[Any, Any, Any]:
        step = steps.start + steps.step * index
        value, each = turn(step, value)
        return index + 1, value, kept.write(step, each)

    count = len(steps)
    kept = tf.TensorArray(first.dtype, count, element_shape=first.shape)
    given = (tf.constant(0), first, kept)
    _, last, kept = tf.while_loop(lambda index, *_: index < count, body, given, maximum_iterations=count)
    return last, kept.stack()


@keras.saving.register_keras_serializable(package="fdl_zoo")
class ThroughTimeRNN(keras.layers.RNN):
    """Keras's recurrent layer around a cell, of which only the last output is read; trained by TensorFlow as above."""

    def __init__(self, cell: keras.layers.SimpleRNNCell, **options: Any) -> None:
        """Takes what Keras's layer takes; the cell's weights count `gradient_scale` times in gradients, if it has that.

        Args:
            cell: A `keras.layers.SimpleRNNCell`; around another it is Keras's layer.
            **options: Those of `keras.layers.RNN`.
        """
        super().__init__(cell, **options)
        self.supports_jit = True  # Keras refuses recurrent layers because of cuDNN's kernels, and has none for this one

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """All time steps: last outputs [batch, units], the same as all outputs [batch, 1, units], and the final states.

        Args:
            sequences: [batch, time, features].
            initial_state: One tensor [batch, units] in a list.
            mask: [batch, time], True where a step counts, or None.
            training: Whether a training step is computed.
        """
        if not (training and self._is_plain(sequences)):
            return super().inner_loop(sequences, initial_state, mask, training=training)
        cell = self.cell
        weights = cell.kernel, cell.recurrent_kernel, cell.bias
        scale = getattr(cell, "gradient_scale", 1.0)
        if scale != 1.0:
            weights = tuple(scaled_gradient(each, scale) for each in weights)
        activation = keras.activations.serialize(cell.activation)
        last = last_state(activation, sequences, mask, initial_state[0], weights)
        output = last
        if mask is not None:  # as Keras has it: where no step counts, the output is zero, whatever the state
            output = ops.where(ops.any(mask, axis=1, keepdims=True), last, ops.zeros_like(last))
        return output, output[:, None], [last]

    def _is_plain(self, sequences: Any) -> bool:
        """Whether nothing is asked for beyond the last state, by a cell and of a length that are known."""
        cell, known_length = self.cell, sequences.shape[1]
        if type(cell) is not keras.layers.SimpleRNNCell and not hasattr(cell, "gradient_scale"):
            return False
        further = (self.return_sequences, self.go_backwards, self.unroll, self.zero_output_for_mask)
        known = known_length and cell.use_bias and keras.activations.serialize(cell.activation) in SLOPES
        has_more = any((*further, cell.dropout, cell.recurrent_dropout))
        return bool(known and not has_more and keras.backend.backend() == "tensorflow")
