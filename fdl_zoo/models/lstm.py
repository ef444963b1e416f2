"""LSTM: a memory cell with gates that keep, write and output, so that information lasts many steps (chapter 7).

With x_t the inputs, h the outputs, c the memory, and [x_t, h_{t-1}] what each gate reads:
k = sigmoid(W_k [x_t, h_{t-1}] + b_k), w and o likewise, candidate g = tanh(W_g [x_t, h_{t-1}] + b_g),
c_t = k c_{t-1} + w g and h_t = o tanh(c_t). `gates` finds these weights in Keras's layer, which calls keep *forget* and
write *input*. The keep gate's bias starts at one, so that memory is kept at first. `gru` merges gates, `bilstm` reads
the sequence in both directions. Where time steps times units are 6,400 or more, a training batch is computed in halves
at once (`_halves.py`), with the gradients of the whole.

Measured on the adding problem with 32 units: at length 100 the mean squared error on validation is 0.0002 after 20
epochs, where `rnn` stays at 1/6, which is that of always answering 1; at length 10 both solve it (0.0002 and 0.002).
"""

from typing import Any, Literal

import keras
import numpy as np

from fdl_zoo.card import Card, Recipe, Reference, Variant, Weights
from fdl_zoo.models import _halves, _recurrent

CARD = Card(
    task=("classification", "binary", "regression"),
    chapter=7,
    citation="Hochreiter and Schmidhuber (1997), Long short-term memory; Gers et al. (2000) for the keep gate",
    input_shape=(8, 8),
    num_outputs=10,
    num_params=4 * ((8 + 64) * 64 + 64) + 64 * 10 + 10,
    tags=("recurrent", "gates"),
    capabilities=("sequence",),
    variants={
        "gru": Variant(
            {"cell": "gru"},
            summary="GRU: two gates, update and reset, and no separate memory (chapter 7).",
            num_params=3 * ((8 + 64) * 64 + 2 * 64) + 64 * 10 + 10,
            recipes={
                "digits_rows": Recipe(
                    {"name": "adam", "learning_rate": 0.005},
                    batch_size=32,
                    epochs=30,
                    reference=Reference(
                        "test_accuracy", 0.99, tolerance=0.02, command="fdl train gru --data digits_rows"
                    ),
                )
            },
            weights={
                "digits_rows": Weights(
                    "weights/gru-digits_rows.weights.h5",
                    sha256="c14c08a460d65df8aca7f3d46b25e29f88b9d3c18eb68d4c3aaaddfeab1ebc09",
                    metric="test_accuracy",
                    value=0.9889,
                    command="fdl train gru --data digits_rows --seed 0 --precision float64 --devices cpu:0"
                    " --set jit=false",
                )
            },
        ),
        "bilstm": Variant(
            {"bidirectional": True},
            summary="Bidirectional LSTM: one layer reads forwards, one backwards (chapter 7).",
            num_params=2 * 4 * ((8 + 64) * 64 + 64) + 2 * 64 * 10 + 10,
            recipes={
                "digits_rows": Recipe(
                    {"name": "adam", "learning_rate": 0.01},
                    batch_size=32,
                    epochs=30,
                    reference=Reference(
                        "test_accuracy", 0.98, tolerance=0.02, command="fdl train bilstm --data digits_rows"
                    ),
                )
            },
            weights={
                "digits_rows": Weights(
                    "weights/bilstm-digits_rows.weights.h5",
                    sha256="cb62d06f51c7b311994a3c2056f4ea9e82e5eeac44d14c64d19074b3a7dcb6de",
                    metric="test_accuracy",
                    value=0.9722,
                    command="fdl train bilstm --data digits_rows --seed 0 --precision float64 --devices cpu:0"
                    " --set jit=false",
                )
            },
        ),
    },
    ranges={"units": "[1, inf)", "dropout": "[0, 1)", "vocabulary": "[2, inf)", "embedding": "[1, inf)"},
    recipes={
        "digits_rows": Recipe(
            {"name": "adam", "learning_rate": 0.01},
            batch_size=32,
            epochs=20,
            reference=Reference("test_accuracy", 0.98, tolerance=0.02, command="fdl train lstm --data digits_rows"),
        ),
        "imdb_reviews": Recipe(
            {"name": "adam", "learning_rate": 0.001}, batch_size=64, epochs=5, model={"vocabulary": 10_000}
        ),
        "adding": Recipe(
            {"name": "adam", "learning_rate": 0.005, "clipnorm": 1.0}, batch_size=50, epochs=20, model={"units": 32}
        ),
    },
    weights={
        "digits_rows": Weights(
            "weights/lstm-digits_rows.weights.h5",
            sha256="b5034b977e55487570be7594b98a027cb843b35e92976e12a41ce7c894c48342",
            metric="test_accuracy",
            value=0.9944,
            command="fdl train lstm --data digits_rows --seed 0 --precision float64 --devices cpu:0 --set jit=false",
        )
    },
)
GATES = ("write", "keep", "candidate", "output")  # in the order in which Keras lays out the columns


def gates(layer: keras.layers.LSTM) -> dict[str, dict[str, np.ndarray]]:
    """The weights of each gate and of the candidate, by the book's names.

    Args:
        layer: A built Keras LSTM.

    Returns:
        For each of `GATES`: `kernel` [features, units], `recurrent_kernel` [units, units] and `bias` [units].
    """
    names = ("kernel", "recurrent_kernel", "bias")
    columns = {name: np.split(weight, 4, axis=-1) for name, weight in zip(names, layer.get_weights(), strict=True)}
    return {gate: {name: columns[name][index] for name in names} for index, gate in enumerate(GATES)}


def build(
    input_shape: tuple[int, ...] = (8, 8),
    num_outputs: int = 10,
    *,
    units: int = 64,
    cell: Literal["lstm", "gru"] = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    unroll: bool = False,
    vocabulary: int | None = None,
    embedding: int = 32,
) -> keras.Model:
    """Builds the model.

    Args:
        input_shape: Time steps and features, or time steps only where `vocabulary` is given.
        num_outputs: Number of classes or values, read from the last output.
        units: Length of memory and output, for each direction.
        cell: The kind of unit.
        bidirectional: Whether a second layer reads the sequence backwards.
        dropout: Probability that a value of the last output is set to zero in training.
        unroll: Whether the graph holds one copy of the layer per time step instead of a loop.
        vocabulary: Number of words, padding included; puts an embedding first. None for sequences of features.
        embedding: Length of each word's vector.

    Raises:
        InvalidData: Examples are no sequences.
    """
    name = "bilstm" if bidirectional else cell
    inputs, x = _recurrent.sequence_input(name, input_shape, vocabulary, embedding)  # [batch, time, features]
    kinds: dict[str, Any] = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    if not unroll and _halves.is_long(input_shape, units):
        kinds = {"lstm": _halves.HalvedLSTM, "gru": _halves.HalvedGRU}
    layer = kinds[cell](units, unroll=unroll, name="recurrent")
    if bidirectional:
        layer = keras.layers.Bidirectional(layer, name="bidirectional")
    x = layer(x)  # [batch, units], twice as many where bidirectional
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    outputs = keras.layers.Dense(num_outputs, name="output")(x)  # [batch, outputs]
    return keras.Model(inputs, outputs, name=name)
