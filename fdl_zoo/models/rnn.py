"""Recurrent network: a fully connected recurrent layer whose initial state is learned (chapter 7).

Unrolled through time it is a feed-forward network whose copies share their weights; the gradients of the copies are
summed, or averaged.

The recipe for the adding problem has 32 units, those with which the figures that `lstm` states were measured: with
them this network solves the problem at length 10, and not at length 100.
"""

from typing import Literal

import keras

from fdl_zoo.card import Card, Recipe, Reference, Weights
from fdl_zoo.models import _recurrent
from fdl_zoo.models._through_time import ThroughTimeRNN

CARD = Card(
    task=("classification", "binary", "regression"),
    chapter=7,
    citation="Elman (1990), Finding structure in time",
    input_shape=(8, 8),
    num_outputs=10,
    num_params=(8 + 64) * 64 + 64 + 64 + 64 * 10 + 10,
    tags=("recurrent",),
    capabilities=("sequence",),
    ranges={"units": "[1, inf)", "vocabulary": "[2, inf)", "embedding": "[1, inf)"},
    recipes={
        "digits_rows": Recipe(
            {"name": "adam", "learning_rate": 0.003},
            batch_size=32,
            epochs=30,
            reference=Reference("test_accuracy", 0.976, tolerance=0.02, command="fdl train rnn --data digits_rows"),
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
            "weights/rnn-digits_rows.weights.h5",
            sha256="3b3dcfcf0b3fee22af39d9763076225605952a7e733d2efd1120f17c3fb736df",
            metric="test_accuracy",
            value=0.9833,
            command="fdl train rnn --data digits_rows --seed 0 --precision float64 --devices cpu:0 --set jit=false",
        )
    },
)


def build(
    input_shape: tuple[int, ...] = (8, 8),
    num_outputs: int = 10,
    *,
    units: int = 64,
    activation: Literal["tanh", "relu", "sigmoid", "linear"] = "tanh",
    learned_state: bool = True,
    gradients: Literal["sum", "average"] = "sum",
    unroll: bool = False,
    vocabulary: int | None = None,
    embedding: int = 32,
) -> keras.Model:
    """Builds the model.

    Args:
        input_shape: Time steps and features, or time steps only where `vocabulary` is given.
        num_outputs: Number of classes or values, read from the last state.
        units: Recurrent neurons.
        activation: Their nonlinearity.
        learned_state: Whether the initial state is learned; it starts at zero.
        gradients: Whether the gradients of the weights' copies through time are summed or averaged.
        unroll: Whether the graph holds one copy of the layer per time step instead of a loop.
        vocabulary: Number of words, padding included; puts an embedding first. None for sequences of features.
        embedding: Length of each word's vector.

    Raises:
        InvalidData: Examples are no sequences.
    """
    inputs, x = _recurrent.sequence_input("rnn", input_shape, vocabulary, embedding)  # [batch, time, features]
    if gradients == "sum":
        cell = keras.layers.SimpleRNNCell(units, activation=activation)
    else:
        cell = _recurrent.AveragedCell(units, steps=input_shape[0], activation=activation)
    layer = _recurrent.LearnedStateRNN if learned_state else ThroughTimeRNN
    x = layer(cell, unroll=unroll, name="recurrent")(x)  # [batch, units]
    outputs = keras.layers.Dense(num_outputs, name="output")(x)  # [batch, outputs]
    return keras.Model(inputs, outputs, name="rnn")
