"""What the engine takes a step to need, in time and memory: counted by hand, layer by layer."""

import keras
import pytest

from fdl_zoo.training.choice import (
    LEAST_SECONDS,
    OPERATIONS_PER_SECOND,
    RECURRENT_OPERATIONS_PER_SECOND,
    activation_bytes,
    step_seconds,
)

LAYERS = keras.layers
LSTM = 4 * (2 * 64 + 64 * 64 + 64)  # weights of 64 units that read 2 features
DENSE, RECURRENT = 6 / OPERATIONS_PER_SECOND, 6 / RECURRENT_OPERATIONS_PER_SECOND  # seconds per weight, use and example
# name: (layers, seconds per example, values that they make of it, inputs among them)
CASES = {
    "dense": (lambda: [keras.Input((500,)), LAYERS.Dense(1000)], 501_000 * DENSE, 500 + 1000),
    "dense at each step": (
        lambda: [keras.Input((50, 100)), LAYERS.Dense(200)],
        50 * 20_200 * DENSE,
        50 * 100 + 50 * 200,
    ),
    "convolution": (
        lambda: [keras.Input((20, 10, 3)), LAYERS.Conv2D(32, 5, padding="same")],
        200 * 2432 * DENSE,
        600 + 200 * 32,
    ),
    "lstm": (lambda: [keras.Input((100, 2)), LAYERS.LSTM(64)], 100 * LSTM * RECURRENT, 200 + 100 * 2 * 4 * 64),
    "both directions": (
        lambda: [keras.Input((100, 2)), LAYERS.Bidirectional(LAYERS.LSTM(64))],
        2 * 100 * LSTM * RECURRENT,
        200 + 2 * 100 * 2 * 4 * 64,
    ),
    "a cell": (
        lambda: [keras.Input((100, 2)), LAYERS.RNN(LAYERS.SimpleRNNCell(64))],
        100 * LSTM / 4 * RECURRENT,
        200 + 100 * 2 * 64,
    ),
    "behind an embedding with padding": (
        lambda: [keras.Input((100,)), LAYERS.Embedding(1000, 2, mask_zero=True), LAYERS.LSTM(64)],
        100 * LSTM * RECURRENT,
        100 + 200 + 100 * 2 * 4 * 64,
    ),
    "nested": (
        lambda: [keras.Input((500,)), keras.Sequential([keras.Input((500,)), LAYERS.Dense(1000)])],
        501_000 * DENSE,
        500 + 500 + 1000,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operations_and_activations(name):
    layers, seconds, values = CASES[name]
    model = keras.Sequential(layers())
    assert step_seconds(model, 1000) == pytest.approx(1000 * seconds)
    assert activation_bytes(model) == pytest.approx(2 * 4 * values, rel=0.01)


def test_no_step_takes_no_time():
    model = keras.Sequential([keras.Input((2,)), LAYERS.Dense(1)])
    assert step_seconds(model, 1) == LEAST_SECONDS
