"""The matrix against scikit-learn, the film's pictures, and everything that fdl_zoo asks of a callback."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

import fdl_zoo as fdl
from fdl_zoo.errors import InvalidData
from fdl_zoo.testing import conformance


@conformance("callbacks", origin="fdl-confusion-movie")
def test_conformance(name, check):
    check(name)


class Kept:
    """A tracker that keeps a film's size and pictures."""

    def log_artifact(self, path, folder=""):
        self.name, self.folder = path.name, folder
        with Image.open(path) as film:
            self.durations = []
            for number in range(film.n_frames):
                film.seek(number)
                self.durations.append(film.info["duration"])
            self.size = film.size


def make(data, **options):
    tracker = Kept()
    spec = SimpleNamespace(model=SimpleNamespace(name="net"), data=SimpleNamespace(name="set"))
    context = SimpleNamespace(data=data, tracker=tracker, spec=spec)
    return fdl.create_callback("confusion_movie", context, **options), tracker


def trained(data, callback, epochs):
    keras.utils.set_random_seed(0)
    model = fdl.create_model("logistic_regression", data.input_shape, data.num_outputs)
    losses = {"binary": keras.losses.BinaryCrossentropy, "classification": keras.losses.SparseCategoricalCrossentropy}
    model.compile(keras.optimizers.SGD(0.1), losses[data.task](from_logits=True))
    model.fit(data.train.x, data.train.y, epochs=epochs, callbacks=[callback], verbose=0)
    return model


@pytest.mark.parametrize(("name", "split"), [("digits", "validation"), ("two_spirals", "test")])
def test_the_last_matrix_is_scikit_learns(name, split):
    data = fdl.load_dataset(name)
    callback, tracker = make(data, split=split)
    model = trained(data, callback, 2)
    part = data.splits[split]
    logits = model.predict(part.x, verbose=0)
    predicted = logits.argmax(axis=1) if data.num_outputs > 1 else (logits[:, 0] > 0).astype(int)
    np.testing.assert_array_equal(callback.matrices[-1], metrics.confusion_matrix(part.y, predicted))
    assert (tracker.name, tracker.folder) == ("confusion_movie.gif", "figures")


def test_the_film_has_a_picture_per_epoch_that_was_asked_for():
    callback, tracker = make(fdl.load_dataset("iris"), every=2, frames_per_second=5.0)
    trained(fdl.load_dataset("iris"), callback, 5)
    assert callback.epochs == [2, 4]
    assert sum(tracker.durations) == 200 + 3000  # milliseconds
    assert min(tracker.size) >= 300


def test_a_resumed_training_has_the_whole_film():
    data = fdl.load_dataset("iris")
    first, _ = make(data)
    trained(data, first, 2)
    second, _ = make(data)
    second.set_state(first.get_state())
    trained(data, second, 1)
    assert len(second.matrices) == 3


def test_values_have_no_classes():
    with pytest.raises(InvalidData, match="the data ask for regression, and it needs classes"):
        make(fdl.load_dataset("diabetes"))


def test_plain_keras_is_told_what_to_do(caplog):
    assert type(fdl.create_callback("confusion_movie")) is keras.callbacks.Callback
    assert "make a ConfusionMovie" in caplog.text


def test_many_classes_still_fit_a_picture():
    data = fdl.load_dataset("iris")
    names = tuple(f"class {number}" for number in range(100))
    callback, tracker = make(dataclasses.replace(data, num_outputs=100, class_names=names))
    trained(dataclasses.replace(data, num_outputs=100), callback, 1)
    assert max(tracker.size) <= 1200
