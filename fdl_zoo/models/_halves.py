"""Recurrent layers for long sequences, which compute the halves of a training batch side by side (chapter 7).

Neither TensorFlow nor XLA spreads the small operations of one time step over a CPU's cores: a batch of sequences is
computed on a single one. The examples of a batch do not depend on each other, so here each half is a program of its
own, compiled by XLA, and TensorFlow runs both at once. Outputs are those of Keras's layer; the gradient of a weight is
the sum over both halves. It is computed from the inputs again, since what a loop compiled by XLA keeps for its gradient
cannot leave it.

Two halves, not one part per core: a training rounds alike on machines with more cores.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras

# Time steps times units. From there on the halves of a hundred sequences take less time than the whole batch, those of
# thirty about as long, and of few or short ones more (`tests/benchmarks/halves.py`).
LONG = 6400


def is_long(input_shape: tuple[int | None, ...], units: int) -> bool:
    """Whether sequences are so long that halves of a batch of usual size pay for what it costs to start and join them.

    Args:
        input_shape: Of one example, time steps first.
        units: Of the layer.
    """
    return (input_shape[0] or 0) * units >= LONG


class InHalves:
    """A mixin for a Keras recurrent layer; it acts in the graph of a training step on a CPU, and nowhere else."""

    cell: Any
    supports_jit: bool
    compiles_itself = True  # the engine then compiles nothing around it

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Takes what Keras's layer takes."""
        super().__init__(*arguments, **options)
        self.supports_jit = False  # Keras's `fit` would compile the halves into one program, for a single core

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """All time steps: last outputs, all outputs and the final states, each with the batch first.

        Args:
            sequences: [batch, time, features].
            initial_state: Tensors [batch, units].
            mask: [batch, time], True where a step counts, or None.
            training: Whether a training step is computed.
        """
        whole = super().inner_loop  # type: ignore[misc]
        if not (training and self._can_halve(sequences)):
            return whole(sequences, initial_state, mask, training=training)
        form: list[Any] = []

        def loop(sequences: Any, *given: Any) -> list[Any]:
            states, masks = list(given[: len(initial_state)]), given[len(initial_state) :]
            outputs = whole(sequences, states, masks[0] if masks else None, training=training)
            form[:] = [outputs]
            return keras.tree.flatten(outputs)

        found = side_by_side(loop, [sequences, *initial_state, *([] if mask is None else [mask])])
        return keras.tree.pack_sequence_as(form[0], found)

    def _can_halve(self, sequences: Any) -> bool:
        if keras.backend.backend() != "tensorflow" or sequences.shape[0] == 1:
            return False
        import tensorflow as tf

        masked = getattr(self.cell, "dropout", 0.0) or getattr(self.cell, "recurrent_dropout", 0.0)  # of a whole batch
        return not masked and not tf.executing_eagerly() and not tf.config.list_logical_devices("GPU")


def side_by_side(function: Callable[..., list[Any]], batch: Sequence[Any]) -> list[Any]:
    """A function's outputs for a batch, whose halves are computed at once, each compiled by XLA.

    Args:
        function: Of tensors with the batch first to such tensors; each example's outputs depend on that example alone.
        batch: The tensors. Gradients flow to those of floating point, and to the variables that the function reads.
    """
    import tensorflow as tf

    compiled = tf.function(function, jit_compile=True, autograph=False)

    @tf.custom_gradient
    def halved(*batch: Any) -> tuple[list[Any], Callable]:
        halves = _halves(batch)

        def gradient(*upstream: Any, variables: Sequence[Any] = ()) -> tuple[list[Any], list[Any]]:
            def backward(half: list[Any], upstream: list[Any]) -> tuple[list[Any], list[Any]]:
                inputs = [tensor for tensor in half if tensor.dtype.is_floating]
                with tf.GradientTape() as tape:
                    tape.watch(inputs)
                    outputs = function(*half)
                sources = (inputs, list(variables))
                return tape.gradient(outputs, sources, output_gradients=upstream, unconnected_gradients="zero")

            compiled = tf.function(backward, jit_compile=True, autograph=False)
            pairs = [compiled(half, above) for half, above in zip(halves, _halves(upstream), strict=True)]
            by_inputs, by_variables = zip(*pairs, strict=True)
            joined = iter(_joined(by_inputs))
            return (
                [next(joined) if tensor.dtype.is_floating else None for tensor in batch],
                [tf.add_n(parts) for parts in zip(*by_variables, strict=True)],
            )

        return _joined([compiled(*half) for half in halves]), gradient

    return halved(*batch)


def _halves(batch: Sequence[Any]) -> list[list[Any]]:
    size = keras.ops.shape(batch[0])[0]
    return [[tensor[: size // 2] for tensor in batch], [tensor[size // 2 :] for tensor in batch]]


def _joined(halves: Sequence[Sequence[Any]]) -> list[Any]:
    return [keras.ops.concatenate(parts) for parts in zip(*halves, strict=True)]


@keras.saving.register_keras_serializable(package="fdl_zoo")
class HalvedLSTM(InHalves, keras.layers.LSTM):
    """Keras's LSTM, whose training batches are computed in halves."""


@keras.saving.register_keras_serializable(package="fdl_zoo")
class HalvedGRU(InHalves, keras.layers.GRU):
    """Keras's GRU, whose training batches are computed in halves."""
