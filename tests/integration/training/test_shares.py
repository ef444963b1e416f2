"""Shares of a batch count by their size, whatever a step is made of: on two replicas, and in micro-batches."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo as fdl
from fdl_zoo.training.counting import counted, counting

pytestmark = pytest.mark.usefixtures("float64")

LAYERS = keras.layers
EXAMPLES, BATCH = 47, 15  # the last batch has 2, others are shared as 8 and 7; a full batch in thirds has 16, 16, 15
RANDOM = np.random.default_rng(0)
X, WORDS = RANDOM.normal(size=(EXAMPLES, 8)), RANDOM.integers(1, 20, (EXAMPLES, 5))
Y, VALUES, WEIGHTS = RANDOM.integers(0, 3, EXAMPLES), RANDOM.normal(size=(EXAMPLES, 2)), RANDOM.random((EXAMPLES, 5))

# The loss of one output is the mean over batches or over examples, in Keras, as a batch's length is known or not.
EXACT = {"loss", "accuracy", "weighted_accuracy", "first_input"}


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Own(keras.Model):
    """A training step as Keras's guides write it, which takes inputs and targets and nothing else."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            outputs = self(x, training=True)
            loss = self.compute_loss(x, y, outputs)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"first_input": tf.reduce_mean(x[:, 0])}

    def test_step(self, data):
        x, y = data
        return super().test_step((x, y))


class Scaled(Own):
    """The same, which asks the optimizer to scale the loss, and has a second optimizer for the second layer."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape(persistent=True) as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
            scaled = self.optimizer.scale_loss(loss)
        first, last = self.layers[1].trainable_variables, self.layers[2].trainable_variables
        self.optimizer.apply(tape.gradient(scaled, first), first)
        self.second.apply(tape.gradient(loss, last), last)
        return {"loss": loss}


def small(kind=keras.Model, **options):
    inputs = keras.Input((8,))
    model = kind(inputs, LAYERS.Dense(3, **options)(LAYERS.Dense(4, "tanh")(inputs)))
    if kind is Scaled:
        model.second = fdl.create_optimizer("momentum", learning_rate=0.1)
    if kind is not keras.Model:
        return model, {"loss": cross_entropy()}, (X, Y)
    return model, {"loss": cross_entropy(), "metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}, (X, Y)


def penalized():
    return small(kernel_regularizer=keras.regularizers.L2(1.0), activity_regularizer=keras.regularizers.L2(0.1))


def of_words(weighted):
    inputs = keras.Input((5,), dtype="int32")
    model = keras.Model(inputs, LAYERS.Dense(20)(LAYERS.Embedding(20, 4)(inputs)))
    weights = (WEIGHTS,) if weighted else ()
    return model, {"loss": cross_entropy()}, (WORDS, WORDS, *weights)


def two_outputs():
    inputs = keras.Input((8,))
    outputs = {"kind": LAYERS.Dense(3, name="kind")(inputs), "value": LAYERS.Dense(2, name="value")(inputs)}
    losses = {"kind": cross_entropy(), "value": "mse"}
    weights = {"kind": WEIGHTS[:, 0], "value": WEIGHTS[:, 1]}
    return keras.Model(inputs, outputs), {"loss": losses}, (X, {"kind": Y, "value": VALUES}, weights)


CASES = {
    "plain": small,
    "penalized": penalized,
    "targets in time": lambda: of_words(weighted=False),
    "weights in time": lambda: of_words(weighted=True),
    "weights by output": two_outputs,
    "own step": lambda: small(Own),
    "two optimizers": lambda: small(Scaled),
}


def trained(case, batch_size, *, scope=None, parts=1, rate=0.1, epochs=2):
    """A model and its history."""
    keras.utils.set_random_seed(0)
    options = {"gradient_accumulation_steps": parts} if parts > 1 else {}
    with scope or contextlib.nullcontext():
        model, compiled, data = CASES[case]()
        model.compile(fdl.create_optimizer("sgd", learning_rate=rate, **options), **compiled)
        if case == "two optimizers":
            model.second.build(model.layers[2].trainable_variables)
    x, y, *weights = data
    feed = fdl.accelerate(
        model, x, y, sample_weight=weights[0] if weights else None, batch_size=batch_size, shuffle=False, jit=False
    )
    return model, model.fit(feed, epochs=epochs, verbose=0).history, feed


def check_equal(found, wanted):
    for one, other in zip(found[0].get_weights(), wanted[0].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    for name in set(wanted[1]) & EXACT:
        np.testing.assert_allclose(found[1][name], wanted[1][name], rtol=1e-9)


ONE_LEFT = EXAMPLES - 1  # the batch length of which the last batch has one example, for one replica


@pytest.mark.parametrize(
    ("case", "batch"),
    [*((name, BATCH) for name in CASES if name != "two optimizers"), ("penalized", ONE_LEFT), ("own step", ONE_LEFT)],
)
def test_two_replicas_equal_one_device(case, batch, two_replicas):
    one, two = trained(case, batch), trained(case, batch, scope=two_replicas.scope())
    check_equal(two, one)
    found, wanted = (model.evaluate(feed, verbose=0, return_dict=True) for model, _, feed in (two, one))
    for name in set(wanted) & EXACT:
        assert found[name] == pytest.approx(wanted[name], rel=1e-9)


@pytest.mark.parametrize("case", [name for name in CASES if name != "two optimizers"])
def test_micro_batches_equal_the_whole(case):
    whole = trained(case, "full", epochs=1)
    found = trained(case, "full", parts=3, epochs=1)
    whole[1].pop("first_input", None)  # a log of one's own is the last step's, which is a third of the batch here
    check_equal(found, whole)


def test_the_logs_of_a_step_of_ones_own_are_means_over_the_replicas(two_replicas):
    _, history, _ = trained("own step", EXAMPLES, scope=two_replicas.scope(), epochs=1)
    np.testing.assert_allclose(history["first_input"], [X[:, 0].mean()], rtol=1e-12)


def test_each_of_two_optimizers_counts_the_share_once(two_replicas):
    one, two = (trained("two optimizers", BATCH, scope=scope) for scope in (None, two_replicas.scope()))
    for ours, wanted in zip(two[0].get_weights(), one[0].get_weights(), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-12)


def test_optimizers_are_as_before_when_a_step_fails():
    model, compiled, _ = small()
    model.compile("sgd", **compiled)
    before = dict(vars(model.optimizer))

    def fail():
        with counting(model), counted(tf.constant(2.0)):
            assert float(model.optimizer.scale_loss(tf.constant(3.0))) == 6.0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert vars(model.optimizer) == before
    with counting(model):
        assert float(model.optimizer.scale_loss(tf.constant(3.0))) == 3.0


def test_a_model_without_optimizer_is_evaluated(two_replicas):
    found = []
    for scope in (contextlib.nullcontext(), two_replicas.scope()):
        keras.utils.set_random_seed(0)
        with scope:
            model, compiled, (x, y) = small()
            model.compile(None, **compiled)
        found.append(model.evaluate(fdl.accelerate(model, x, y, batch_size=BATCH), verbose=0))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


class Counting(keras.callbacks.Callback):
    """Keeps the numbers of the steps that Keras says are done."""

    at_block_end = True

    def __init__(self):
        super().__init__()
        self.trained, self.tested = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.trained.append(batch)

    def on_test_batch_end(self, batch, logs=None):
        self.tested.append(batch)


@pytest.mark.parametrize(("block", "wanted"), [(None, [6]), (3, [2, 5, 6]), (7, [6]), (1, list(range(7)))])
def test_keras_counts_the_steps_that_are_done(block, wanted, capsys):
    model, compiled, (x, y) = small()
    model.compile("sgd", **compiled)
    feed = fdl.accelerate(model, x, y, batch_size=7, block=block)
    counted_steps = Counting()
    model.fit(
        feed,
        epochs=2,
        validation_data=fdl.accelerate(model, x, y, batch_size=7, block=block),
        callbacks=[counted_steps],
    )
    assert counted_steps.trained == counted_steps.tested == 2 * wanted
    assert "7/7" in capsys.readouterr().out


def test_an_evaluation_leaves_the_order_of_training_alone():
    def weights(evaluates):
        keras.utils.set_random_seed(0)
        model, compiled, (x, y) = small()
        model.compile("sgd", **compiled)
        feed = fdl.accelerate(model, x, y, batch_size=BATCH)
        for _ in range(2):
            model.fit(feed, verbose=0)
            if evaluates:
                model.evaluate(feed, verbose=0)
                model.predict(feed, verbose=0)
        return model.get_weights()

    for one, other in zip(weights(evaluates=True), weights(evaluates=False), strict=True):
        np.testing.assert_array_equal(one, other)
