"""What `accelerate` takes, refuses, and leaves as it is: other data of the model, and the steps that are asked for."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import fdl_zoo as fdl
from fdl_zoo.errors import InvalidData, InvalidOption

X = np.random.default_rng(0).normal(size=(37, 6)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 37)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def made(layers=list, shape=(6,), steps_per_execution=1):
    """A compiled model that knows nothing of us; without XLA, so that plain `fit` gives the same bits."""
    keras.utils.set_random_seed(0)  # before layers are made, which draw a seed each
    model = keras.Sequential([keras.Input(shape), *layers(), keras.layers.Dense(3)])
    model.compile("adam", LOSS, metrics=["accuracy"], jit_compile=False, steps_per_execution=steps_per_execution)
    return model


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize(("steps", "epochs", "block"), [(2, 2, 5), (2, 3, 3), (3, 1, 2), (5, 2, 2), (4, 2, None)])
def test_an_epoch_has_as_many_steps_as_fit_is_asked_for(steps, epochs, block):
    plain, ours = made(), made()
    given = {"epochs": epochs, "steps_per_epoch": steps, "verbose": 0}
    ends = steps * epochs > 8

    def warned():
        return pytest.warns(UserWarning, match="ran out of data") if ends else contextlib.nullcontext()

    with warned():
        expected = plain.fit(X, Y, batch_size=5, shuffle=False, **given)
    with warned():
        found = ours.fit(fdl.accelerate(ours, X, Y, batch_size=5, shuffle=False, jit=False, block=block), **given)
    assert int(ours.optimizer.iterations) == int(plain.optimizer.iterations)
    assert found.history == expected.history
    assert equal(ours, plain)


def test_arrays_of_an_accelerated_model_are_read_as_far_as_is_asked_for():
    plain, ours = made(), made()
    feed = fdl.accelerate(ours, X, Y, batch_size=8, jit=False)
    assert feed.block > 100
    part = {"validation_data": (X, Y), "validation_batch_size": 5, "validation_steps": 3}
    histories = [
        model.fit(X, Y, batch_size=5, steps_per_epoch=3, shuffle=False, verbose=0, **part).history
        for model in (plain, ours)
    ]
    assert histories[0] == histories[1]
    assert equal(plain, ours)
    assert ours.evaluate(X, Y, batch_size=5, steps=3, verbose=0) == plain.evaluate(X, Y, 5, steps=3, verbose=0)
    assert ours.predict(X, batch_size=5, steps=3, verbose=0).shape == (15, 3)


@pytest.mark.parametrize("execution", [1, 3])
def test_what_keras_runs_itself_is_as_without_us(execution):
    plain, ours = (
        made(lambda: [keras.layers.Dense(16, activation="tanh")], steps_per_execution=execution) for _ in range(2)
    )
    fdl.accelerate(ours, X, Y, batch_size=8, jit=False)
    given = {"batch_size": 8, "shuffle": False, "epochs": 3, "verbose": 0, "validation_data": (X, Y)}
    assert ours.fit(X, Y, **given).history == plain.fit(X, Y, **given).history
    assert equal(ours, plain)
    feed = fdl.accelerate(ours, X, Y, batch_size=8, shuffle=False, jit=False)
    del given["batch_size"], given["shuffle"]
    found = ours.fit(feed, **given, validation_batch_size=8).history
    assert found == plain.fit(X, Y, batch_size=8, shuffle=False, **given).history


def test_a_feed_is_predicted_whole_and_as_far_as_is_asked_for():
    model = made()
    feed = fdl.accelerate(model, X, Y, batch_size=8, shuffle=False, jit=False)
    expected = model.predict(X, batch_size=8, verbose=0)
    np.testing.assert_array_equal(model.predict(feed, verbose=0), expected)
    np.testing.assert_array_equal(model.predict(feed, steps=2, verbose=0), expected[:16])
    model.fit(feed, verbose=0)
    assert int(model.optimizer.iterations) == 5


def test_steps_of_replicas_and_of_data_on_disk_are_those_of_plain_fit(two_replicas):
    class OnDisk(fdl.Split):
        def __init__(self):
            self.x = self.y = None

        def __len__(self):
            return len(X)

        def take(self, indices, epoch=0):
            return X[indices], Y[indices]

    plain, streamed = made(), made()
    with two_replicas.scope():
        mirrored = made()
    given = {"epochs": 2, "steps_per_epoch": 3, "verbose": 0}
    plain.fit(X, Y, batch_size=5, shuffle=False, **given)
    streamed.fit(fdl.accelerate(streamed, OnDisk(), batch_size=5, shuffle=False, jit=False, block=2), **given)
    mirrored.fit(fdl.accelerate(mirrored, X, Y, batch_size=5, shuffle=False, block=2), **given)
    assert equal(streamed, plain)
    for ours, theirs in zip(mirrored.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_keras_s_own_functions_do_not_give_each_example_to_both_replicas(two_replicas):
    with two_replicas.scope():
        ours, other = made(), made()
    feed = fdl.accelerate(ours, X, Y, batch_size=8)
    with pytest.raises(InvalidOption, match="predict cannot take accelerated data on 2 replicas"):
        ours.predict(feed, verbose=0)
    other(X[:2])
    with pytest.raises(InvalidOption, match="fit cannot take accelerated data on 2 replicas"):
        other.fit(feed, verbose=0)


def test_a_generator_without_end_ends_with_the_steps():
    def batches():
        while True:
            yield X[:5], Y[:5]

    model = made()
    fdl.accelerate(model, X, Y, batch_size=8, jit=False)
    model.fit(batches(), steps_per_epoch=3, epochs=2, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 6


def test_a_model_compiled_anew_takes_the_batches_one_by_one():
    model = made()
    feed = fdl.accelerate(model, X, Y, batch_size=8, jit=False, block=3)
    model.compile("adam", LOSS)
    model.fit(feed, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 10


def test_another_model_takes_the_batches_one_by_one():
    ours, plain, other = made(), made(), made()
    feed = fdl.accelerate(ours, X, Y, batch_size=8, shuffle=False, jit=False, block=3)
    other.fit(feed, verbose=0)
    plain.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    assert int(other.optimizer.iterations) == 5
    assert equal(other, plain)


def test_data_of_another_form_may_follow():
    images = np.random.default_rng(2).random((37, 8, 8, 1)).astype(np.float32)
    forms = [(images, Y), (images, Y, np.ones(37)), ((images * 255).astype(np.uint8), Y)]
    plain, ours = (made(lambda: [keras.layers.Conv2D(4, 3), keras.layers.Flatten()], shape=(8, 8, 1)) for _ in range(2))
    for x, y, *weights in forms:
        weight = weights[0] if weights else None
        plain.fit(x, y, sample_weight=weight, batch_size=8, shuffle=False, verbose=0)
        feed = fdl.accelerate(ours, x, y, sample_weight=weight, batch_size=8, shuffle=False, jit=False)
        ours.fit(feed, verbose=0)
    assert equal(plain, ours)


def test_floats_come_in_keras_s_type_as_in_fit():
    class Product(keras.Model):
        def __init__(self):
            super().__init__()
            self.weight = self.add_weight(shape=(6, 3), initializer="ones")

        def call(self, x):
            return x @ self.weight

        def train_step(self, data):
            assert data[0].dtype == "float32"
            return super().train_step(data)

    model = Product()
    model.compile("sgd", LOSS)
    model.fit(fdl.accelerate(model, X.astype(np.float64), Y, batch_size=8), verbose=0)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"batch_size": 2.5}, InvalidOption, "batch_size cannot be 2.5: it is a whole number from 1, or full"),
        ({"batch_size": True}, InvalidOption, "batch_size cannot be True"),
        ({"batch_size": "8"}, InvalidOption, "batch_size cannot be '8'"),
        ({"batch_size": 0}, InvalidOption, "batch_size cannot be 0"),
        ({"block": -1}, InvalidOption, "block cannot be -1"),
        ({"steps": 0}, InvalidOption, "steps cannot be 0"),
        ({"x": [1, 2, 3]}, InvalidData, "value of type int"),
        ({"x": None}, InvalidData, "value of type NoneType"),
        ({"x": (row for row in X)}, InvalidData, "value of type generator"),
        ({"x": fdl.load_dataset("iris").train}, InvalidData, "A Split cannot have targets"),
        ({"model": "mlp"}, InvalidOption, "A str cannot be accelerated"),
        ({"y": Y.astype(str)}, InvalidData, "The data cannot be an array of type <U21: give numbers"),
        ({"jit": "auto"}, InvalidOption, "jit cannot be 'auto': it is one of True, False, None"),
        ({"shuffle": "batch"}, InvalidOption, "shuffle cannot be 'batch'"),
        ({"seed": -1}, InvalidOption, "seed cannot be -1"),
        ({"callbacks": [3]}, InvalidOption, "A value of type int cannot be a callback"),
    ],
)
def test_what_is_no_data_no_count_and_no_model_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        fdl.accelerate(**{"model": made(), "x": X, "y": Y} | given)


def test_callbacks_come_as_for_fit():
    assert fdl.accelerate(made(), X, Y, batch_size=8, block=3, callbacks=None).block == 3
    watching = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    assert fdl.accelerate(made(), X, Y, batch_size=8, callbacks=watching).block == 1


@pytest.mark.parametrize(
    "beside", [{"class_weight": {0: 1.0, 1: 5.0, 2: 1.0}}, {"sample_weight": np.ones(37)}, {"y": Y}], ids=list
)
def test_what_keras_would_not_look_at_beside_a_feed_is_refused(beside):
    model = made()
    before = model.get_weights()
    with pytest.raises(InvalidOption, match=f"fit cannot take {next(iter(beside))} beside accelerated data"):
        model.fit(fdl.accelerate(model, X, Y, batch_size=8), verbose=0, **beside)
    assert all(np.array_equal(one, two) for one, two in zip(model.get_weights(), before, strict=True))


@pytest.mark.parametrize("overridden", [False, True], ids=["stock", "step of its own"])
def test_a_model_that_is_run_eagerly_is_run_eagerly(overridden):
    eagerly = []

    class Model(keras.Sequential):
        def call(self, *given, **options):
            eagerly.append(tf.executing_eagerly())
            return super().call(*given, **options)

        if overridden:

            def train_step(self, data):
                logs = super().train_step(data)
                return {**logs, "seen": float(logs["loss"])}

    models = []
    for accelerated in (False, True):
        keras.utils.set_random_seed(0)
        model = Model([keras.Input((6,)), keras.layers.Dense(3)])
        model.compile("adam", LOSS, metrics=["accuracy"], run_eagerly=True)
        eagerly.clear()
        given = [fdl.accelerate(model, X, Y, batch_size=8, shuffle=False)] if accelerated else [X, Y]
        history = model.fit(*given, batch_size=8, shuffle=False, epochs=2, verbose=0).history
        assert sum(eagerly) == 10
        models.append((model, history))
    assert equal(models[0][0], models[1][0])
    assert models[0][1] == models[1][1]


def test_images_on_disk_are_a_split_as_any_other(tmp_path):
    for name, shade in (("dark", 0), ("light", 255)):
        (tmp_path / name).mkdir()
        for number in range(10):
            Image.new("L", (4, 4), abs(shade - number)).save(tmp_path / name / f"{number}.png")
    split = fdl.load_dataset("folder", path=str(tmp_path), color_mode="grayscale").train
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(fdl.accelerate(model, split, batch_size=4), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_an_optimizer_that_scales_the_loss_accumulates_as_the_one_inside():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        model.compile(fdl.create_optimizer("sgd", gradient_accumulation_steps=4), "mse")
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        x = np.full((8, 6), 0.01, "float32")  # whose gradients no scale makes infinite, so that no batch is left out
        feed = fdl.accelerate(model, x, np.zeros(8, "float32"), batch_size="full", steps=3)
        model.fit(feed, epochs=1, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert feed.batches.micro_batches == 4
    assert int(model.optimizer.inner_optimizer.iterations) == 3  # updates, one for each of the steps
