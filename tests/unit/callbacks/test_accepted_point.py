"""The callback that shows the accepted point: what validation and checkpoints see, when it stops, what it refuses."""

import keras
import numpy as np
import pytest

from fdl_zoo.callbacks import accepted_point
from fdl_zoo.errors import InvalidOption
from fdl_zoo.optimizers import lbfgs

rng = np.random.default_rng(3)
X = rng.normal(size=(60, 5)) * [1, 3, 0.3, 1, 2]
Y = rng.integers(3, size=60)


def classifier(optimizer):
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(3)])
    model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def weights(model):
    return np.concatenate([value.ravel() for value in model.get_weights()])


def fit(model, epochs, *callbacks, initial_epoch=0):
    options = {"batch_size": 60, "validation_data": (X, Y), "shuffle": False, "verbose": 0}
    model.fit(X, Y, epochs=epochs, initial_epoch=initial_epoch, callbacks=list(callbacks), **options)


class Seen(keras.callbacks.Callback):
    """What each epoch's end saw, and the weights after each batch."""

    def __init__(self):
        super().__init__()
        self.rows, self.trials = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.trials.append(weights(self.model))

    def on_epoch_end(self, epoch, logs=None):
        loss = self.model.evaluate(X, Y, batch_size=60, verbose=0)
        self.rows.append((loss, logs["val_loss"], self.model.optimizer.accepted_loss))


@pytest.fixture(scope="module")
def seen():
    """What a fit of twelve epochs saw; its close searches have many trial points."""
    rows = Seen()
    fit(classifier(lbfgs.build(c2=0.03)), 12, accepted_point.build(), rows)
    return rows


def test_validation_and_checkpoints_see_the_accepted_point_and_the_search_is_not_disturbed(seen):
    undisturbed = Seen()
    fit(classifier(lbfgs.build(c2=0.03)), 12, undisturbed)
    np.testing.assert_array_equal(seen.trials, undisturbed.trials)
    loss, validation, accepted = np.transpose(seen.rows)
    np.testing.assert_allclose(loss, accepted, rtol=1e-6)
    np.testing.assert_allclose(validation, accepted, rtol=1e-6)
    assert not np.allclose(*np.transpose(undisturbed.rows)[1:], rtol=1e-6), "no trial point was ever validated"


def test_a_checkpoint_of_an_epochs_end_goes_on_without_a_lost_evaluation(seen, tmp_path):
    first, resumed = classifier(lbfgs.build(c2=0.03)), Seen()
    save = keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")
    fit(first, 8, accepted_point.build(), save)
    second = keras.models.load_model(tmp_path / "last.keras")
    assert second.evaluate(X, Y, batch_size=60, verbose=0) == pytest.approx(first.optimizer.accepted_loss, rel=1e-6)
    fit(second, 12, accepted_point.build(), resumed, initial_epoch=8)
    np.testing.assert_array_equal(resumed.trials, seen.trials[8:])


def test_it_stops_training_once_the_optimizer_has():
    model = classifier(lbfgs.build(max_evaluations=5))
    model.fit(X, Y, batch_size=60, epochs=20, callbacks=[accepted_point.build()], shuffle=False, verbose=0)
    assert model.optimizer.stop_reason == "evaluations used up"
    assert len(model.history.history["loss"]) == model.optimizer.evaluations == 5


def test_it_leaves_other_optimizers_alone():
    model = classifier("sgd")
    before = weights(model)
    fit(model, 2, accepted_point.build())
    assert not np.array_equal(weights(model), before)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: keras.layers.Dropout(0.5, name="culprit"), "drops units at random"),
        (lambda: keras.layers.GaussianDropout(0.5, name="culprit"), "drops units at random"),
        (lambda: keras.layers.LSTM(2, dropout=0.1, name="culprit"), "drops units at random"),
        (lambda: keras.layers.LSTM(2, recurrent_dropout=0.1, name="culprit"), "drops units at random"),
        (lambda: keras.layers.BatchNormalization(name="culprit"), "normalizes by the batch"),
        (lambda: keras.layers.GaussianNoise(0.1, name="culprit"), "adds noise"),
        (lambda: keras.layers.RandomFlip(name="culprit"), "augments at random"),
        (lambda: keras.layers.MixUp(name="culprit"), "augments at random"),
        (
            lambda: keras.layers.Dense(2, kernel_constraint=keras.constraints.MaxNorm(1.0), name="culprit"),
            "max-norm constraint",
        ),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_what_makes_the_loss_random_is_refused_by_name(make, words, nested):
    inside = keras.Sequential([make()]) if nested else make()
    with pytest.raises(InvalidOption, match=f"'culprit'.*{words}.*adam"):
        accepted_point.check_deterministic(keras.Sequential([inside]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.Dropout(0.0),
        lambda: keras.layers.LSTM(2),
        lambda: keras.layers.BatchNormalization(trainable=False),
        lambda: keras.layers.GaussianNoise(0.0),
        lambda: keras.layers.Conv2D(2, 2, dilation_rate=2),
    ],
)
def test_what_does_not_is_accepted(make):
    accepted_point.check_deterministic(keras.Sequential([make()]))


def test_fit_refuses_before_the_first_step():
    model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dropout(0.5, name="drop"), keras.layers.Dense(3)])
    model.compile(lbfgs.build(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = weights(model)
    with pytest.raises(InvalidOption, match="'drop'"):
        fit(model, 1, accepted_point.build())
    np.testing.assert_array_equal(weights(model), before)
