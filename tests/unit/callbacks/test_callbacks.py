"""Callbacks: against Keras's own, and resumed from a state equal to never interrupted."""

import json
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from fdl_zoo.callbacks import (
    checkpoint,
    early_stopping,
    learning_rate_schedule,
    reduce_lr_on_plateau,
    terminate_on_nan,
)
from fdl_zoo.data import Context
from fdl_zoo.errors import InvalidData, InvalidOption

X = np.linspace(-1, 1, 16, dtype=np.float32)[:, None]
Y = 3 * X


def tiny(learning_rate=0.1):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate), "mse", metrics=["mae"])
    return model


def attach(callback, model=None, epochs=10):
    callback.set_model(model or tiny())
    callback.set_params({"epochs": epochs})
    callback.on_train_begin()
    return callback


def drive(callback, losses, start=0, metric="val_loss"):
    """Feeds epochs' metrics as `fit` would; returns the epoch that stopped training, if one did."""
    for epoch, loss in enumerate(losses, start=start):
        callback.on_epoch_begin(epoch, {})
        callback.on_epoch_end(epoch, {"loss": loss, metric: loss})
        if callback.model.stop_training:
            return epoch
    return None


def context(folder):
    return Context(model=None, data=None, tracker=None, folder=folder, spec=None, run_id="")


LOSSES = [5, 4, 4.5, 4.4, 3.9, 4, 4.1, 4.2, 3, 2]


def test_early_stopping_equals_keras():
    ours = attach(early_stopping.build(patience=3))
    theirs = attach(keras.callbacks.EarlyStopping(patience=3))
    assert drive(ours, LOSSES) == drive(theirs, LOSSES) == 7


@pytest.mark.parametrize("cut", range(1, 8))
def test_early_stopping_resumed_stops_where_it_would_have(cut, tmp_path):
    first = attach(early_stopping.build(patience=3, restore_best_weights=True, context=context(tmp_path)))
    drive(first, LOSSES[:cut])
    state = json.loads(json.dumps(first.get_state()))
    second = early_stopping.build(patience=3, restore_best_weights=True, context=context(tmp_path))
    second.set_state(state)
    attach(second)
    assert drive(second, LOSSES[cut:], start=cut) == 7
    assert second.best_epoch == 4


def test_early_stopping_restores_the_best_weights_of_before_the_interruption(tmp_path):
    model = tiny()
    first = attach(early_stopping.build(patience=2, restore_best_weights=True, context=context(tmp_path)), model)
    best = [weight + 1 for weight in model.get_weights()]
    model.set_weights(best)
    drive(first, [1.0])
    second = early_stopping.build(patience=2, restore_best_weights=True, context=context(tmp_path))
    second.set_state(first.get_state())
    other = tiny()
    attach(second, other)
    assert drive(second, [2.0, 2.0], start=1) == 2
    second.on_train_end()
    for weight, expected in zip(other.get_weights(), best, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["early_stopping_best.npz"]


def test_early_stopping_says_when_the_best_weights_are_gone(tmp_path):
    callback = early_stopping.build(restore_best_weights=True, context=context(tmp_path))
    with pytest.raises(InvalidData, match=r"early_stopping_best\.npz is missing"):
        callback.set_state({"wait": 0, "stopped_epoch": 0, "best": 1.0, "best_epoch": 0})


@pytest.mark.parametrize("module", [early_stopping, reduce_lr_on_plateau, checkpoint])
def test_an_unknown_metric_is_an_error_that_names_those_there_are(module):
    with pytest.raises(InvalidOption, match="'val_acuracy' cannot be monitored: this training has loss, mae, val_loss"):
        tiny().fit(X, Y, validation_data=(X, Y), verbose=0, callbacks=[module.build(monitor="val_acuracy", mode="max")])


def test_reduce_lr_on_plateau_equals_keras():
    rates = []
    for callback in (
        reduce_lr_on_plateau.build(factor=0.5, patience=2, cooldown=1),
        keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1),
    ):
        attach(callback)
        drive(callback, [1.0] * 9)
        rates.append(float(callback.model.optimizer.learning_rate))
    assert rates[0] == rates[1] == pytest.approx(0.1 / 16)


@pytest.mark.parametrize("cut", range(1, 9))
def test_reduce_lr_on_plateau_resumed_reduces_when_it_would_have(cut):
    model = tiny()
    first = attach(reduce_lr_on_plateau.build(factor=0.5, patience=2, cooldown=1), model)
    drive(first, [1.0] * cut)
    second = reduce_lr_on_plateau.build(factor=0.5, patience=2, cooldown=1)
    second.set_state(json.loads(json.dumps(first.get_state())))
    attach(second, model)
    drive(second, [1.0] * (9 - cut), start=cut)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 16)


def test_a_restored_state_serves_one_training_only():
    callback = early_stopping.build()
    callback.set_state({"wait": 4, "stopped_epoch": 0, "best": 1.0, "best_epoch": 3})
    assert attach(callback).wait == 4
    assert attach(callback).wait == 0


def test_terminate_on_nan_stops_at_the_step_and_remembers_it():
    callback = terminate_on_nan.build()
    x = X.copy()
    x[10] = np.nan
    tiny().fit(x, Y, batch_size=4, shuffle=False, epochs=3, verbose=0, callbacks=[callback])
    assert (callback.epoch, callback.step) == (0, 2)
    assert "epoch 1, step 3: loss is nan" in callback.failure
    tiny().fit(X, Y, verbose=0, callbacks=[callback])
    assert callback.failure is None


@pytest.mark.parametrize(("accepted", "failed"), [(0.5, False), (np.nan, True)])
def test_what_a_line_search_tried_and_took_back_is_no_failure(accepted, failed):
    watch = terminate_on_nan.build()
    optimizer = SimpleNamespace(stop_reason="converged", accepted_loss=accepted)
    watch.set_model(SimpleNamespace(optimizer=optimizer, stop_training=False))
    watch.on_train_begin()
    watch.on_epoch_end(0, {"loss": np.nan, "val_loss": 0.4})
    assert (watch.failure is not None) is failed


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_terminate_on_nan_sees_the_validation_loss(value):
    callback = attach(terminate_on_nan.build())
    callback.on_epoch_begin(4)
    callback.on_epoch_end(4, {"loss": 1.0, "val_loss": value})
    assert callback.model.stop_training
    assert f"epoch 5: val_loss is {value}" in callback.failure


def test_the_schedules_values():
    def rates(kind, count, **options):
        options = {"warmup": 0, "decay_steps": 4, "decay_rate": 0.5, "alpha": 0.0} | options
        return [learning_rate_schedule.factor(epoch, kind, **options) for epoch in range(count)]

    assert rates("step", 9) == [1] * 4 + [0.5] * 4 + [0.25]
    np.testing.assert_allclose(rates("exponential", 9), 0.5 ** (np.arange(9) / 4))
    cosine = keras.optimizers.schedules.CosineDecay(1.0, decay_steps=4, alpha=0.1)
    np.testing.assert_allclose(rates("cosine", 7, alpha=0.1), [float(cosine(t)) for t in range(7)], rtol=1e-6)
    np.testing.assert_allclose(rates("step", 5, warmup=3), [0.25, 0.5, 0.75, 1, 1])


def test_the_schedule_sets_the_rate_at_each_epochs_begin():
    seen = tiny(0.2).fit(X, Y, epochs=4, verbose=0, callbacks=[learning_rate_schedule.build(kind="cosine")])
    expected = 0.2 * (1 + np.cos(np.pi * np.arange(4) / 4)) / 2
    np.testing.assert_allclose(seen.history["learning_rate"], expected, rtol=1e-6)


def test_the_schedule_resumed_goes_on_from_the_initial_rate():
    model = tiny(0.2)
    first = learning_rate_schedule.build(kind="step", decay_steps=1)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[first])
    second = learning_rate_schedule.build(kind="step", decay_steps=1)
    second.set_state(json.loads(json.dumps(first.get_state())))
    seen = model.fit(X, Y, initial_epoch=2, epochs=4, verbose=0, callbacks=[second])
    np.testing.assert_allclose(seen.history["learning_rate"], [0.05, 0.025])


def test_the_schedule_refuses_an_optimizer_that_has_one():
    model = tiny(keras.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(InvalidOption, match="give it a number"):
        model.fit(X, Y, verbose=0, callbacks=[learning_rate_schedule.build()])


def test_checkpoint_keeps_the_last_and_the_best_model(tmp_path):
    model = tiny()
    callback = attach(checkpoint.build(context=context(tmp_path)), model)
    snapshots = []
    for epoch, loss in enumerate([3.0, 1.0, 2.0]):
        model.set_weights([weight + 1 for weight in model.get_weights()])
        snapshots.append(model.get_weights())
        callback.on_epoch_end(epoch, {"loss": loss, "val_loss": loss})
    for name, epoch in (("best", 1), ("last", 2)):
        loaded = keras.models.load_model(tmp_path / "checkpoints" / f"{name}.keras")
        for weight, expected in zip(loaded.get_weights(), snapshots[epoch], strict=True):
            np.testing.assert_array_equal(weight, expected)
    assert callback.get_state() == {"best": 1.0, "best_epoch": 1, "last_epoch": 2}
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.keras", "last.keras"]


def test_checkpoint_in_plain_keras_writes_the_end_though_every_does_not_divide_it(tmp_path):
    callback = checkpoint.build(folder=str(tmp_path), every=2)
    model = tiny()
    model.fit(X, Y, validation_data=(X, Y), epochs=3, verbose=0, callbacks=[callback])
    loaded = keras.models.load_model(tmp_path / "last.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    assert callback.last_epoch == 2


def test_checkpoint_without_validation_goes_by_the_training_loss_and_says_so(tmp_path, caplog):
    callback = checkpoint.build(folder=str(tmp_path))
    tiny().fit(X, Y, epochs=2, verbose=0, callbacks=[callback])
    assert callback.monitor == "loss"
    assert caplog.messages == ["There are no validation data: the best checkpoint is that of the least training loss."]


def test_a_model_that_is_not_finite_never_replaces_a_good_one(tmp_path):
    callback = attach(checkpoint.build(folder=str(tmp_path)))
    drive(callback, [1.0])
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    drive(callback, [math.nan], start=1)
    callback.on_train_end()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == written


def test_a_failed_writing_leaves_the_former_file_and_no_remains(tmp_path, monkeypatch):
    model = tiny()
    checkpoint.write_whole(tmp_path / "last.keras", model.save)
    before = (tmp_path / "last.keras").read_bytes()

    def half(path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(model, "save", half)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.write_whole(tmp_path / "last.keras", model.save)
    assert (tmp_path / "last.keras").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.keras"]


@pytest.mark.parametrize(("monitor", "losses", "best"), [("val_mae", [3, 1, 2], 1), ("val_loss", [3, 4, 2], 2)])
def test_checkpoint_knows_which_way_is_better(tmp_path, monitor, losses, best):
    model = tiny()
    model.fit(X, Y, verbose=0)
    callback = attach(checkpoint.build(folder=str(tmp_path), monitor=monitor), model)
    drive(callback, losses, metric=monitor)
    assert callback.best_epoch == best


def test_checkpoint_goes_up_with_accuracy_and_asks_where_it_cannot_know(tmp_path):
    model = tiny()
    model.compile("sgd", "mse", metrics=["accuracy"])
    model.fit(X, Y, verbose=0)
    callback = attach(checkpoint.build(folder=str(tmp_path), monitor="val_accuracy"), model)
    drive(callback, [0.1, 0.3, 0.2], metric="val_accuracy")
    assert callback.best_epoch == 1
    unknown = attach(checkpoint.build(folder=str(tmp_path), monitor="val_surprise"), model)
    with pytest.raises(InvalidOption, match="set mode"):
        drive(unknown, [1, 2], metric="val_surprise")


def test_checkpoint_resumed_remembers_the_best(tmp_path):
    first = attach(checkpoint.build(folder=str(tmp_path)))
    drive(first, [1.0])
    written = (tmp_path / "best.keras").read_bytes()
    second = checkpoint.build(folder=str(tmp_path))
    second.set_state(json.loads(json.dumps(first.get_state())))
    attach(second)
    drive(second, [2.0], start=1)
    assert (tmp_path / "best.keras").read_bytes() == written
