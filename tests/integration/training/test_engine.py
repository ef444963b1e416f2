"""The engine against plain Keras: the same weights bit for bit, in blocks of any length, from memory or from disk."""

import contextlib
import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo as fdl
from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.training.batches import epoch_order
from fdl_zoo.training.choice import choose
from fdl_zoo.training.engine import Engine
from fdl_zoo.training.progress import Silent

pytestmark = pytest.mark.usefixtures("undrawn")

LAYERS = keras.layers
EXAMPLES, BATCH, EPOCHS = 130, 25, 2  # the last batch has five


class OnDisk(Split):
    """A split that has no arrays, as one on disk."""

    def __init__(self, x, y):
        self._arrays = np.asarray(x), np.asarray(y)

    def __len__(self):
        return len(self._arrays[0])

    def take(self, indices, epoch=0):
        return tuple(array[indices] for array in self._arrays)


class Doubled(keras.Model):
    """A model with a train step of its own, which knows nothing of us."""

    def __init__(self):
        super().__init__()
        self.dense = LAYERS.Dense(3)
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = 2.0 * tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, self(x), from_logits=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        self.seen.update_state(loss)
        return {"seen": self.seen.result()}


def network(kind):
    body = {
        "dense": ((8,), [LAYERS.Dense(16, activation="relu"), LAYERS.Dropout(0.3)]),
        "convolution": (
            (8, 8, 1),
            [
                LAYERS.Conv2D(4, 3, activation="relu"),
                LAYERS.BatchNormalization(),
                LAYERS.MaxPool2D(2),
                LAYERS.Flatten(),
            ],
        ),
        "recurrent": ((6, 2), [LAYERS.SimpleRNN(5)]),
        "gated": ((6, 2), [LAYERS.LSTM(5)]),
    }
    shape, layers = body[kind]
    return shape, keras.Sequential([keras.Input(shape), *layers, LAYERS.Dense(3)])


def made(kind, jit=False, optimizer="adam"):
    keras.utils.set_random_seed(0)
    shape, model = network(kind)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=jit)
    return shape, model


def examples(shape, count=EXAMPLES):
    random = np.random.default_rng(0)
    return random.normal(size=(count, *shape)).astype(keras.config.floatx()), random.integers(0, 3, count)


def plain_fit(model, x, y, batch_size=BATCH, epochs=EPOCHS):
    """Keras's own `fit` on arrays in our order."""
    loss = []
    for epoch in range(epochs):
        order = epoch_order(len(x), 0, epoch)
        history = model.fit(x[order], y[order], batch_size, shuffle=False, verbose=0).history
        loss += history.get("loss", [])
    return loss


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


WHOLE = EXAMPLES - EXAMPLES % BATCH  # Keras traces batches of one length otherwise than those of any


@pytest.mark.parametrize(
    ("kind", "jit", "count"),
    # XLA rounds a convolution in a loop otherwise (1e-9 in these weights); on a CPU the engine does not choose it.
    [(kind, False, count) for kind in ("dense", "convolution", "recurrent", "gated") for count in (EXAMPLES, WHOLE)]
    + [("dense", True, EXAMPLES), ("recurrent", True, WHOLE), ("gated", True, WHOLE)],
)
def test_blocks_equal_plain_fit_bit_for_bit(kind, jit, count):
    shape, plain = made(kind, jit)
    x, y = examples(shape, count)
    loss = plain_fit(plain, x, y)
    _, model = made(kind, jit)
    history = model.fit(fdl.accelerate(model, x, y, batch_size=BATCH, jit=jit, block=4), epochs=EPOCHS, verbose=0)
    assert equal(plain, model)
    assert history.history["loss"] == loss


@pytest.mark.parametrize("block", [1, 2, 5, 6, 100])
def test_the_length_of_a_block_changes_nothing_and_a_split_on_disk_is_as_one_in_memory(block):
    shape, model = made("dense")
    x, y = examples(shape)
    model.fit(fdl.accelerate(model, x, y, batch_size=BATCH, jit=False, block=3), epochs=EPOCHS, verbose=0)
    for split in (Split(x, y), OnDisk(x, y)):
        _, other = made("dense")
        feed = fdl.accelerate(other, split, batch_size=BATCH, jit=False, block=block)
        assert (feed.data is None) == isinstance(split, OnDisk)
        other.fit(feed, epochs=EPOCHS, verbose=0)
        assert equal(model, other)


def test_a_train_step_of_ones_own_is_kept():
    x, y = examples((8,))
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = Doubled()
        model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
        model(x[:2])
        models.append(model)
    plain, model = models
    plain_fit(plain, x, y, epochs=1)
    history = model.fit(fdl.accelerate(model, x, y, batch_size=BATCH, jit=False), verbose=0)
    assert equal(plain, model)
    assert set(history.history) == {"seen"}


@pytest.mark.parametrize(
    ("jit", "count", "traces"), [(False, WHOLE, 1), (False, EXAMPLES, 1), (True, WHOLE, 1), (True, EXAMPLES, 2)]
)
def test_a_step_is_traced_once_and_by_xla_once_for_each_length(jit, count, traces):
    seen = []

    class Traced(LAYERS.Dense):
        def call(self, x, training=None):
            seen.append(training)
            return super().call(x)

    model = keras.Sequential([keras.Input((8,)), Traced(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    seen.clear()
    x, y = np.ones((count, 8), np.float32), np.zeros(count)
    model.fit(fdl.accelerate(model, x, y, batch_size=BATCH, jit=jit), epochs=EPOCHS, verbose=0)
    assert seen.count(True) == traces


def test_no_python_source_is_rewritten_for_a_trace(monkeypatch):
    """It would be most of a process's first trace; Keras's own `fit` does not do it either."""
    from tensorflow.python.autograph.impl import api

    rewritten, convert = [], api._convert_actual
    monkeypatch.setattr(api, "_convert_actual", lambda *given: rewritten.append(given) or convert(*given))
    shape, model = made("dense")
    x, y = examples(shape)
    held_out = fdl.accelerate(model, x[:30], y[:30], batch_size=BATCH, jit=False)
    model.fit(fdl.accelerate(model, x, y, batch_size=BATCH, jit=False), validation_data=held_out, verbose=0)
    assert not rewritten


def test_many_models_in_one_process_are_no_reason_for_a_warning(caplog):
    for _ in range(2):
        _, model = made("dense")
        x, y = examples((8,))
        held_out = fdl.accelerate(model, x[:30], y[:30], batch_size=BATCH, jit=False)
        model.fit(fdl.accelerate(model, x, y, batch_size=BATCH, jit=False), validation_data=held_out, verbose=0)
    assert "retracing" not in caplog.text


def test_every_step_s_loss_is_returned():
    shape, model = made("dense", optimizer=keras.optimizers.SGD(0.0))
    x, y = examples(shape)
    model.layers[-2].rate = 0.0  # no dropout: then each batch's loss is a function of the batch
    feed = fdl.accelerate(model, x, y, batch_size=BATCH, jit=False, block=100)
    model.fit(feed, verbose=0)
    order = epoch_order(len(x), 0, 0)
    expected = [
        keras.losses.sparse_categorical_crossentropy(y[rows], model(x[rows]), from_logits=True).numpy().mean()
        for rows in np.split(order, range(BATCH, len(x), BATCH))
    ]
    np.testing.assert_allclose(Engine.of(model).losses, expected, rtol=1e-5)


def test_validation_and_evaluation_go_the_same_way():
    shape, model = made("convolution")
    x, y = examples(shape)
    feed = fdl.accelerate(model, x, y, batch_size=BATCH, jit=False)
    held_out = fdl.accelerate(model, x[:60], y[:60], batch_size=BATCH, shuffle=False, jit=False)
    history = model.fit(feed, validation_data=held_out, epochs=2, verbose=0).history
    evaluated = model.evaluate(held_out, verbose=0, return_dict=True)
    _, plain = made("convolution")
    plain.set_weights(model.get_weights())
    assert history["val_loss"][-1] == evaluated["loss"]
    assert evaluated == plain.evaluate(x[:60], y[:60], batch_size=BATCH, verbose=0, return_dict=True)


def test_plain_arrays_still_train_and_a_model_compiled_anew_takes_the_feed():
    shape, model = made("dense")
    x, y = examples(shape)
    feed = fdl.accelerate(model, x, y, batch_size=BATCH, jit=False, block=2)
    model.fit(x, y, batch_size=BATCH, verbose=0)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert Engine.of(model) is None
    model.fit(feed, verbose=0)


@pytest.mark.parametrize("kind", ["dense", "convolution", "recurrent"])
def test_two_replicas_equal_one_device_in_float64_with_an_uneven_last_batch(kind, two_replicas, float64):
    weights = []
    for scope in (two_replicas.scope, None):
        keras.utils.set_random_seed(0)
        if scope:
            with scope():
                shape, model = made_without_chance(kind)
        else:
            shape, model = made_without_chance(kind)
        x, y = examples(shape)
        model.fit(fdl.accelerate(model, x, y, batch_size=BATCH, jit=False, block=4), verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)


def made_without_chance(kind):
    """Without dropout, and with batch normalization over all replicas."""
    keras.utils.set_random_seed(0)
    shape, model = network(kind)
    layers = [keras.Input(shape)]
    for layer in model.layers:
        if isinstance(layer, LAYERS.Dropout):
            continue
        if isinstance(layer, LAYERS.BatchNormalization):
            layers.append(LAYERS.BatchNormalization(synchronized=True))
        else:
            layers.append(type(layer).from_config(layer.get_config()))
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    return shape, model


def test_bad_input_is_answered_with_a_sentence(two_replicas):
    shape, model = network("dense")
    x, y = examples(shape)
    with pytest.raises(InvalidOption, match="not compiled"):
        fdl.accelerate(model, x, y)
    _, model = made("dense")
    with pytest.raises(InvalidData, match="0 examples"):
        fdl.accelerate(model, x[:0], y[:0])
    with pytest.raises(InvalidData, match="130 inputs and 5 targets"):
        fdl.accelerate(model, x, y[:5])
    with two_replicas.scope():
        _, model = made("dense")
    with pytest.raises(InvalidOption, match="2 replicas"):
        fdl.accelerate(model, x, y, jit=True)


def test_a_loss_that_is_not_finite_is_reported_at_its_own_step_within_a_block():
    shape, model = made("gated", optimizer=keras.optimizers.SGD(0.01))
    x, y = examples(shape)
    x[epoch_order(len(x), 0, 0)[2 * BATCH + 3]] = np.nan  # the third of six steps (a ReLU would make zero of it)
    watch = fdl.create_callback("terminate_on_nan")
    feed = fdl.accelerate(model, x, y, batch_size=BATCH, jit=False, block=6, callbacks=[watch])
    model.fit(feed, callbacks=[watch], verbose=0)
    assert feed.block == 6
    assert (watch.epoch, watch.step) == (0, 2)


def test_a_run_records_what_was_chosen_and_why(tmp_path):
    run = fdl.train(
        "logistic_regression",
        epochs=1,
        root=tmp_path,
        progress=Silent(),
        settings=["tracking.enabled=false", "block=2", "jit=true"],
    )
    chosen = run.folder.facts["chosen"]
    assert (chosen["block"], chosen["jit"], chosen["resident"]) == (2, True, True)
    assert chosen["reasons"]["block"] == "as given"


@pytest.mark.parametrize(
    ("kind", "total_steps", "expected"), [("dense", None, True), ("dense", 10, False), ("convolution", None, False)]
)
def test_xla_is_chosen_where_it_pays(kind, total_steps, expected):
    _, model = made(kind)
    given = {"example_bytes": 100, "examples": 1000, "in_memory": True, "batch_size": 10}
    choice = choose(model, **given, total_steps=total_steps)
    assert choice.jit is expected
    assert choice.resident


def test_blocks_are_short_where_steps_are_long_and_data_too_large_are_streamed():
    _, model = made("dense")
    short, long = (
        choose(model, example_bytes=100, examples=1000, in_memory=True, batch_size=size) for size in (10, 10_000)
    )
    assert long.block < short.block
    huge = choose(model, example_bytes=10**6, examples=10**9, in_memory=True, batch_size=10)
    assert not huge.resident
    assert huge.block * 10 * 10**6 <= 64 * 2**20


def test_structures_of_inputs_and_weights_equal_plain_fit():
    def model():
        keras.utils.set_random_seed(0)
        one, two = keras.Input((8,), name="one"), keras.Input((2,), name="two")
        joined = LAYERS.Concatenate()([one, two])
        outputs = {"kind": LAYERS.Dense(3, name="kind")(joined), "size": LAYERS.Dense(1, name="size")(joined)}
        made = keras.Model({"one": one, "two": two}, outputs)
        losses = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"}
        made.compile("adam", losses, metrics={"kind": "accuracy"}, jit_compile=False)
        return made

    x, y = examples((8,), 100)
    inputs, targets = {"one": x, "two": x[:, :2]}, {"kind": y, "size": x[:, :1]}
    weights = np.random.default_rng(1).uniform(0.5, 2, 100).astype("float32")
    plain, ours = model(), model()
    expected = plain.fit(inputs, targets, sample_weight=weights, batch_size=BATCH, shuffle=False, verbose=0).history
    feed = fdl.accelerate(ours, inputs, targets, sample_weight=weights, batch_size=BATCH, shuffle=False, jit=False)
    found = ours.fit(feed, verbose=0).history
    assert equal(plain, ours)
    assert found == expected


def test_a_model_that_needs_no_targets():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = LAYERS.Dense(8)

        def call(self, x):
            y = self.dense(x)
            self.add_loss(tf.reduce_mean(tf.square(y - x)))
            return y

    x, _ = examples((8,))
    losses = []
    for accelerated in (False, True):
        keras.utils.set_random_seed(0)
        model = Own()
        model.compile("sgd", jit_compile=False)
        model(x[:2])
        given = fdl.accelerate(model, x, batch_size=26, shuffle=False, jit=False) if accelerated else x
        options = {} if accelerated else {"batch_size": 26, "shuffle": False}
        losses.append(model.fit(given, verbose=0, **options).history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("replicas", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_arrays_and_predictions_of_an_accelerated_model_are_keras_s_own(replicas, two_replicas):
    x, y = examples((8,))
    with two_replicas.scope() if replicas > 1 else contextlib.nullcontext():
        plain, ours = (made_without_chance("dense")[1] for _ in range(2))
    fdl.accelerate(ours, x, y, batch_size=BATCH, jit=False, block=4)
    histories = [
        each.fit(x, y, batch_size=26, shuffle=False, epochs=2, verbose=0, validation_data=(x[:52], y[:52])).history
        for each in (plain, ours)
    ]
    assert histories[0] == histories[1]
    assert equal(plain, ours)
    np.testing.assert_array_equal(ours.predict(x, batch_size=26, verbose=0), plain.predict(x, batch_size=26, verbose=0))
    np.testing.assert_array_equal(ours.predict_on_batch(x), plain.predict_on_batch(x))
    assert ours.train_on_batch(x, y) == plain.train_on_batch(x, y)


@pytest.mark.parametrize("batch", [BATCH, 43])  # 12 and 13 examples; at last one, which one replica has
def test_histories_on_two_replicas_are_those_of_one_device(batch, two_replicas):
    histories = []
    for scope in (contextlib.nullcontext, two_replicas.scope):
        with scope():
            shape, model = made_without_chance("convolution")
            model.compile(
                keras.optimizers.SGD(0.05),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
                jit_compile=False,
            )
        x, y = examples(shape)
        feed = fdl.accelerate(model, x, y, batch_size=batch, jit=False, block=4)
        held_out = fdl.accelerate(model, x[:51], y[:51], batch_size=batch, shuffle=False)
        histories.append(model.fit(feed, validation_data=held_out, epochs=2, verbose=0).history)
    one, two = histories
    assert one.keys() == two.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5, err_msg=name)


def test_a_second_feed_keeps_the_model_s_engine_and_the_first_is_forgotten_when_it_is_gone():
    shape, model = made("dense")
    x, y = examples(shape)
    feed = fdl.accelerate(model, x, y, batch_size=BATCH, jit=False)
    engine = Engine.of(model)
    fdl.accelerate(model, x[:50], y[:50], batch_size=BATCH)
    assert Engine.of(model) is engine
    model.fit(feed, verbose=0)
    assert len(engine._placed) == 1
    del feed
    gc.collect()
    assert len(engine._placed) == 0


@pytest.mark.parametrize("kind", ["method", "lambda"])
def test_blocks_that_a_callback_makes_short_are_said(kind, caplog):
    called = []
    if kind == "lambda":
        callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: called.append(batch))
    else:
        callback = type(
            "Counting", (keras.callbacks.Callback,), {"on_train_batch_end": lambda *a, **k: called.append(a[1])}
        )()
    shape, model = made("dense")
    x, y = examples(shape)
    feed = fdl.accelerate(model, x, y, batch_size=BATCH, jit=False, callbacks=[callback])
    assert f"Blocks are one step long: {type(callback).__name__} looks at every step." in caplog.text
    model.fit(feed, callbacks=[callback], verbose=0)
    assert called == list(range(6))


def test_what_xla_cannot_compile_is_not_given_to_it():
    given = {"example_bytes": 100, "examples": 1000, "in_memory": True, "batch_size": 10}
    zoomed = keras.Sequential([keras.Input((8, 8, 1)), LAYERS.RandomZoom(0.1), LAYERS.Flatten(), LAYERS.Dense(3)])
    zoomed.compile("sgd", "mse", jit_compile=False)
    assert choose(zoomed, **given).reasons["jit"] == "XLA cannot compile a RandomZoom"
    _, eager = made("dense")
    eager.run_eagerly = True
    assert not choose(eager, **given).jit
    assert choose(made("gated")[1], **given).jit  # without a GPU there are no cuDNN kernels
    long = fdl.create_model("lstm", (100, 2), 3)
    long.compile("sgd", "mse")
    assert choose(long, **given).reasons["jit"].startswith("a HalvedLSTM has XLA compile each half of a batch")
