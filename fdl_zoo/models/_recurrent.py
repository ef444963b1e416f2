"""Parts of the recurrent models: a learned initial state, a cell with averaged gradients, what goes in (chapter 7)."""

from typing import Any

import keras

from fdl_zoo.errors import InvalidData
from fdl_zoo.models._through_time import ThroughTimeRNN, scaled_gradient


@keras.saving.register_keras_serializable(package="fdl_zoo")
class LearnedStateRNN(ThroughTimeRNN):
    """A recurrent layer whose initial state is learned like any weight: one vector, the same for every sequence.

    It is part of the layer because Keras loses the mask of padded sequences where an initial state is passed in.
    """

    def build(self, sequences_shape: tuple[int | None, ...], initial_state_shape: Any = None) -> None:
        """Makes the cell's weights, and the state [units], zero at first."""
        super().build(sequences_shape, initial_state_shape)
        self.state = self.add_weight(shape=(self.cell.state_size,), initializer="zeros", name="initial_state")

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """The state for each sequence of a batch, [batch, units]."""
        return [keras.ops.broadcast_to(self.state, (batch_size, self.cell.state_size))]


@keras.saving.register_keras_serializable(package="fdl_zoo")
class AveragedCell(keras.layers.SimpleRNNCell):
    """Keras's recurrent cell whose shared weights get the mean of their gradients over the time steps, not the sum."""

    def __init__(self, units: int, steps: int, **options: Any) -> None:
        """Takes Keras's options.

        Args:
            units: Number of neurons.
            steps: Number of time steps.
            **options: Those of `keras.layers.SimpleRNNCell`.
        """
        super().__init__(units, **options)
        self.steps = steps
        self.gradient_scale = 1 / steps

    def call(self, sequence: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """One time step: inputs [batch, features] and the state [batch, units] give the next state twice."""
        previous = states[0] if isinstance(states, list | tuple) else states
        kernel, recurrent, bias = (
            scaled_gradient(weight, self.gradient_scale) for weight in (self.kernel, self.recurrent_kernel, self.bias)
        )
        logits = keras.ops.matmul(sequence, kernel) + bias + keras.ops.matmul(previous, recurrent)
        state = self.activation(logits)
        return state, [state]

    def get_config(self) -> dict[str, Any]:
        """Options for a copy."""
        return super().get_config() | {"steps": self.steps}


def sequence_input(
    model: str, input_shape: tuple[int, ...], vocabulary: int | None, embedding: int
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input and what the recurrent layer reads, [batch, time, features]: words pass an embedding first.

    Args:
        model: The model's name.
        input_shape: [time, features], or [time] of word indices, of which 0 is padding.
        vocabulary: Number of words, padding included; None for sequences of features.
        embedding: Length of each word's vector.

    Raises:
        InvalidData: Examples are no sequences of the kind asked for.
    """
    shape = tuple(input_shape)
    if len(shape) != (2 if vocabulary is None else 1):
        raise InvalidData(f"{model} cannot take examples of shape {shape}: {_needs(shape, vocabulary)}.")
    if vocabulary is None:
        inputs = keras.Input(shape, name="input")
        return inputs, inputs
    inputs = keras.Input(shape, dtype="int32", name="input")
    layer = keras.layers.Embedding(vocabulary, embedding, mask_zero=True, name="embedding")
    return inputs, layer(inputs)


def _needs(shape: tuple[int, ...], vocabulary: int | None) -> str:
    if vocabulary is not None:
        return "with vocabulary= it needs word indices [time]; leave vocabulary out for sequences of features"
    if len(shape) == 1:
        return "it needs sequences [time, features]; for word indices [time] give vocabulary="
    return "it needs sequences [time, features]; digits_rows gives images row by row"
