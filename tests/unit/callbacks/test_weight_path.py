"""The path of the weights: what is kept, how many, and what an interruption changes."""

import keras
import numpy as np
import pytest

from fdl_zoo.analysis.path import WeightPath
from fdl_zoo.callbacks import weight_path


def compiled():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mean_squared_error")
    return model


def fit(model, callback, epochs, first=0):
    x = np.arange(8.0).reshape(4, 2) / 8
    model.fit(
        x, x[:, :1], batch_size=2, initial_epoch=first, epochs=epochs, callbacks=[callback], verbose=0, shuffle=False
    )
    return model


def test_the_initial_weights_and_every_epochs_are_kept_as_they_were(tmp_path):
    model = compiled()
    initial = model.get_weights()
    fit(model, weight_path.build(folder=str(tmp_path)), 3)
    path = WeightPath(tmp_path)
    assert path.steps() == [0, 2, 4, 6]
    assert all(map(np.array_equal, path.read(0), initial))
    assert all(map(np.array_equal, path.read(6), model.get_weights()))


@pytest.mark.parametrize("snapshots", [1, 2, 5])
def test_there_are_never_more_than_asked_for(tmp_path, snapshots):
    fit(compiled(), weight_path.build(folder=str(tmp_path), snapshots=snapshots), 23)
    steps = WeightPath(tmp_path).steps()
    assert steps[0] == 0
    assert len(steps) <= snapshots
    assert len(set(np.diff(steps))) <= 1  # evenly spread
    assert snapshots < 5 or len(steps) > snapshots / 2


def test_of_a_large_model_the_initial_weights_are_kept_alone(tmp_path):
    fit(compiled(), weight_path.build(folder=str(tmp_path), largest=2), 2)
    assert WeightPath(tmp_path).steps() == [0]


def test_a_resumed_training_keeps_its_start_and_forgets_what_followed_the_checkpoint(tmp_path):
    model = compiled()
    first = weight_path.build(folder=str(tmp_path))
    fit(model, first, 2)
    initial, state, weights = WeightPath(tmp_path).read(0), first.get_state(), model.get_weights()
    WeightPath(tmp_path).write(5, weights)  # what came after the checkpoint
    second = weight_path.build(folder=str(tmp_path))
    second.set_state(state)
    fit(model, second, 3, first=2)
    assert WeightPath(tmp_path).steps() == [0, 2, 4, 6]
    assert all(map(np.array_equal, WeightPath(tmp_path).read(0), initial))
