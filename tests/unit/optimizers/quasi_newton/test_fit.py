"""The searching optimizers in Keras: compile, fit, replicas, jit, accumulation, save and resume."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize as scipy_minimize
from sklearn.datasets import load_digits

from fdl_zoo.errors import InvalidOption
from fdl_zoo.optimizers import bfgs, conjugate_gradient, lbfgs

METHODS = {"lbfgs": lbfgs, "bfgs": bfgs, "conjugate_gradient": conjugate_gradient}
FIRST_FAST = ["lbfgs", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bfgs", "conjugate_gradient"))]
EXAMPLES, FEATURES, CLASSES = 60, 5, 3

rng = np.random.default_rng(3)
X = rng.normal(size=(EXAMPLES, FEATURES)) * [1, 3, 0.3, 1, 2]
Y = rng.integers(CLASSES, size=EXAMPLES)


def classifier(optimizer, hidden=(), jit_compile=False, **options):
    """A small network whose initial weights are the same at every call; without hidden units its loss is convex."""
    keras.utils.set_random_seed(7)
    layers = [keras.layers.Dense(units, "tanh") for units in hidden]
    last = keras.layers.Dense(CLASSES, kernel_regularizer=keras.regularizers.L2(1e-3))
    model = keras.Sequential([keras.layers.Input((FEATURES,)), *layers, last])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=jit_compile, **options)
    return model


def weights(model):
    return np.concatenate([value.ravel() for value in model.get_weights()])


class Record(keras.callbacks.Callback):
    """The weights after every update."""

    def __init__(self, every=1):
        super().__init__()
        self.every, self.weights = every, []

    def on_train_batch_end(self, batch, logs=None):
        if (batch + 1) % self.every == 0:
            self.weights.append(weights(self.model))


def twenty(model, batches=1):
    """The weights after each of 20 evaluations on the full data, cut into shuffled batches where asked."""
    data = tf.data.Dataset.from_tensor_slices((X, Y))
    data = data.shuffle(EXAMPLES, seed=1) if batches > 1 else data
    record = Record(batches)
    model.fit(
        data.batch(EXAMPLES // batches).repeat(),
        steps_per_epoch=20 * batches,
        verbose=0,
        callbacks=[record],
        shuffle=False,
    )
    return np.array(record.weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_one_device_batches_replicas_and_jit_agree(name, float64, two_replicas):
    build = METHODS[name].build
    expected = twenty(classifier(build(tolerance=0)))
    assert len(np.unique(expected, axis=0)) == 20, "it stopped before the twentieth evaluation"
    compiled = twenty(classifier(build(tolerance=0), jit_compile=True))
    accumulated = twenty(classifier(build(tolerance=0, gradient_accumulation_steps=4)), batches=4)
    with two_replicas.scope():
        model = classifier(build(tolerance=0))
    mirrored = twenty(model)
    for each in (compiled, accumulated, mirrored):
        np.testing.assert_allclose(each, expected, rtol=0, atol=1e-12)


def advance(model, steps):
    """The weights after each of so many evaluations, without the end of a `fit`."""
    trail = []
    for _ in range(steps):
        model.train_on_batch(X, Y)
        trail.append(weights(model))
    return np.array(trail)


@pytest.mark.parametrize("file", ["model.keras", "state.weights.h5"])
@pytest.mark.parametrize("name", FIRST_FAST)
def test_saved_inside_a_search_and_resumed_it_goes_on_bit_for_bit(name, file, tmp_path):
    build = functools.partial(METHODS[name].build, c2=0.03)  # a close search, so that it takes several evaluations
    model = classifier(build(), hidden=(4,))
    advance(model, 14)
    steps = model.optimizer.steps
    advance(model, 1)
    assert model.optimizer.evaluations == 15
    assert model.optimizer.steps == steps, "evaluation 15 ended a search; choose another c2"
    path = tmp_path / file
    if file.endswith(".keras"):
        model.save(path)
        resumed = keras.models.load_model(path)
    else:
        model.save_weights(path)
        resumed = classifier(build(), hidden=(4,))
        resumed.optimizer.build(resumed.trainable_variables)
        resumed.load_weights(path)
    assert resumed.optimizer.c2 == 0.03
    np.testing.assert_array_equal(advance(resumed, 20), advance(model, 20))


@pytest.mark.parametrize("name", FIRST_FAST)
def test_by_name_through_fit_evaluate_save_and_load(name, tmp_path):
    model = classifier(f"fdl_zoo>{name}")
    before = model.evaluate(X, Y, batch_size=EXAMPLES, verbose=0)
    model.fit(X, Y, batch_size=EXAMPLES, epochs=30, verbose=0)
    after = model.evaluate(X, Y, batch_size=EXAMPLES, verbose=0)
    assert after < before
    assert after == pytest.approx(model.optimizer.accepted_loss, rel=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(X, Y, batch_size=EXAMPLES, verbose=0) == after
    assert (loaded.optimizer.stop_reason, loaded.optimizer.steps) == (
        model.optimizer.stop_reason,
        model.optimizer.steps,
    )


def test_a_loss_that_is_not_finite_inside_a_search_is_survived():
    poison = tf.Variable(0.0, trainable=False)

    def loss(y_true, y_pred):
        fine = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        return tf.where(poison > 0, np.nan, 1.0) * fine

    model = classifier(lbfgs.build())
    model.compile(optimizer=lbfgs.build(tolerance=1e-3), loss=loss)
    advance(model, 7)
    accepted = model.optimizer.accepted_loss
    poison.assign(1.0)
    advance(model, 1)
    poison.assign(0.0)
    assert model.optimizer.stop_reason == "running"
    assert np.isfinite(weights(model)).all()
    assert model.optimizer.accepted_loss == accepted
    advance(model, 60)
    assert model.optimizer.accepted_loss < accepted
    assert model.optimizer.stop_reason == "converged"


def test_fit_ends_at_the_accepted_point_and_a_second_fit_goes_on(float64):
    once, twice = classifier(lbfgs.build(tolerance=0)), classifier(lbfgs.build(tolerance=0))
    once.fit(X, Y, batch_size=EXAMPLES, epochs=12, verbose=0, shuffle=False)
    twice.fit(X, Y, batch_size=EXAMPLES, epochs=5, verbose=0, shuffle=False)
    assert twice.evaluate(X, Y, batch_size=EXAMPLES, verbose=0) == pytest.approx(
        twice.optimizer.accepted_loss, rel=1e-14
    )
    twice.fit(X, Y, batch_size=EXAMPLES, epochs=1 + 7, verbose=0, shuffle=False)  # one finds the trial point again
    assert twice.optimizer.evaluations == once.optimizer.evaluations == 12
    np.testing.assert_allclose(weights(twice), weights(once), rtol=1e-14)


def test_weights_set_by_hand_start_a_new_descent(float64):
    model, fresh = classifier(lbfgs.build(tolerance=0)), classifier(lbfgs.build(tolerance=0))
    advance(model, 9)
    for each in (model, fresh):
        each.set_weights([np.full(value.shape, 0.1) for value in each.get_weights()])
    np.testing.assert_allclose(advance(model, 10), advance(fresh, 10), rtol=1e-13)


@pytest.mark.parametrize("epochs", [5, 80], ids=["within a search", "after its end"])
def test_other_data_start_a_new_descent(epochs, float64):
    model, fresh = classifier(lbfgs.build()), classifier(lbfgs.build())
    half = EXAMPLES // 2
    model.fit(X[:half], Y[:half], batch_size=EXAMPLES, epochs=epochs, verbose=0)
    assert (model.optimizer.stop_reason == "converged") == (epochs == 80)
    for each in (model, fresh):
        each.fit(X[half:], Y[half:], batch_size=EXAMPLES, epochs=80, verbose=0)
        assert each.optimizer.stop_reason == "converged"
    assert model.optimizer.accepted_loss == pytest.approx(fresh.optimizer.accepted_loss, rel=1e-8)


def test_evaluations_used_up_and_converged_can_be_read():
    model = classifier(lbfgs.build(max_evaluations=4))
    assert model.optimizer.stop_reason == "running"
    advance(model, 3)
    assert model.optimizer.stop_reason == "running"
    stopped = advance(model, 2)
    assert (model.optimizer.stop_reason, model.optimizer.evaluations) == ("evaluations used up", 4)
    np.testing.assert_array_equal(stopped[0], stopped[1])
    model = classifier(lbfgs.build(tolerance=1e-2))
    advance(model, 40)
    assert model.optimizer.stop_reason == "converged"
    assert model.optimizer.evaluations < 40


def test_bfgs_says_where_it_uses_limited_memory(caplog):
    optimizer = bfgs.build()
    optimizer.build([keras.Variable(np.zeros(85_002, "float32"))])
    notice = "bfgs: limited memory; the dense matrix of 85,002 parameters would need 29 GB"
    assert optimizer.notice == notice
    assert notice in caplog.text
    small = bfgs.build()
    small.build([keras.Variable(np.zeros(50, "float32"))])
    assert small.notice == ""
    assert (50, 50) in [tuple(variable.shape) for variable in small.variables]


@pytest.mark.parametrize("wrapper", [keras.optimizers.LossScaleOptimizer, None])
def test_what_hides_the_loss_is_refused_when_traced(wrapper):
    model = classifier(wrapper(lbfgs.build()) if wrapper else lbfgs.build())
    if not wrapper:
        model.optimizer.scale_loss = lambda loss: loss
    with pytest.raises(InvalidOption, match=r"LBFGS cannot step without the loss.*LossScaleOptimizer"):
        model.train_on_batch(X, Y)


@pytest.mark.parametrize(
    "option", [{"clipnorm": 1.0}, {"weight_decay": 0.1}, {"use_ema": True}, {"learning_rate": 0.1}, {"clipvalue": 1.0}]
)
def test_options_that_contradict_a_line_search_are_refused(option):
    with pytest.raises(InvalidOption, match=f"LBFGS cannot take {next(iter(option))}="):
        lbfgs.LBFGS(**option)


def test_constants_weights_and_constraints_that_cannot_be_are_refused():
    with pytest.raises(InvalidOption, match=r"c1=0\.5 and c2=0\.1.*0 < c1 < c2 < 1"):
        lbfgs.build(c1=0.5, c2=0.1)
    with pytest.raises(InvalidOption, match="memory=0"):
        lbfgs.build(memory=0)
    with pytest.raises(InvalidOption, match="float16"):
        lbfgs.build().build([keras.Variable(np.zeros(2), dtype="float16")])
    with pytest.raises(InvalidOption, match="float32 and float64"):
        lbfgs.build().build([keras.Variable(np.zeros(2), dtype=dtype) for dtype in ("float32", "float64")])
    dense = keras.layers.Dense(2, kernel_constraint=keras.constraints.MaxNorm(1.0))
    dense.build((None, 3))
    with pytest.raises(InvalidOption, match=r"kernel cannot have a constraint"):
        lbfgs.build().build(dense.trainable_variables)


@pytest.mark.parametrize("name", FIRST_FAST)
def test_softmax_regression_on_digits_reaches_the_optimum_of_scipy(name):
    features, targets = load_digits(return_X_y=True)
    features = features / 16
    one_hot = np.eye(10)[targets]

    def loss_and_gradient(theta):
        kernel, bias = theta[:640].reshape(64, 10), theta[640:]
        logits = features @ kernel + bias
        logits -= logits.max(1, keepdims=True)
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        error = (probabilities - one_hot) / len(targets)
        loss = -np.log(probabilities[np.arange(len(targets)), targets]).mean() + 1e-3 * (kernel**2).sum()
        return loss, np.concatenate([(features.T @ error + 2e-3 * kernel).ravel(), error.sum(0)])

    best = scipy_minimize(
        loss_and_gradient, np.zeros(650), jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-8}
    )
    kernel = {"kernel_initializer": "zeros", "kernel_regularizer": keras.regularizers.L2(1e-3)}
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, **kernel)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=METHODS[name].build(), loss=loss, steps_per_execution=50)
    data = tf.data.Dataset.from_tensors((features.astype("float32"), targets)).cache().repeat()
    model.fit(data, steps_per_epoch=300, verbose=0, shuffle=False)
    theta = np.concatenate([value.ravel() for value in model.get_weights()]).astype(np.float64)
    limit = {"conjugate_gradient": 5e-6}.get(name, 1e-6)  # its closer search meets float32's rounding sooner
    assert loss_and_gradient(theta)[0] - best.fun < limit
    assert model.optimizer.stop_reason != "running"
