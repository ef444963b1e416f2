"""Every option of a Keras optimizer means the same on one device, compiled, and on two replicas."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from fdl_zoo.errors import InvalidOption
from fdl_zoo.optimizers import adagrad, adam, momentum, rmsprop, sgd

STEPS, BATCH = 12, 8
OPTIONS = {
    "none": {},
    "clipnorm": {"clipnorm": 0.05},
    "global_clipnorm": {"global_clipnorm": 0.05},
    "clipvalue": {"clipvalue": 0.01},
    "weight_decay": {"weight_decay": 0.1},
    "ema": {"use_ema": True, "ema_momentum": 0.9},
    "ema_overwrite": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation_ema": {
        "gradient_accumulation_steps": 3,
        "use_ema": True,
        "ema_momentum": 0.8,
        "ema_overwrite_frequency": 2,
    },
    "accumulation_clipped": {"gradient_accumulation_steps": 2, "global_clipnorm": 0.05, "weight_decay": 0.01},
    "loss_scale": {"loss_scale_factor": 128.0},
    "schedule": {"learning_rate": "decay"},
}


def data() -> tuple[np.ndarray, np.ndarray]:
    """Inputs [steps, batch, 5] and targets [steps, batch, 2]; the scale grows along the batch, so replicas differ."""
    random = np.random.default_rng(3)
    x = random.normal(size=(STEPS, BATCH, 5)) * np.linspace(0.1, 3.0, BATCH)[:, None]
    return x.astype(np.float32), random.normal(size=(STEPS, BATCH, 2)).astype(np.float32)


def options_of(name: str) -> dict:
    options = dict(OPTIONS[name])
    if options.get("learning_rate") == "decay":
        options["learning_rate"] = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=4, decay_rate=0.5)
    return options


def train(make, strategy=None, jit=False, x=None, y=None) -> np.ndarray:
    """Weights after all batches, every replica taking its part of each, in one compiled loop."""
    default_x, default_y = data()
    x, y = (default_x, default_y) if x is None else (x, y)
    strategy = strategy or tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    scope = strategy.scope if replicas > 1 else contextlib.nullcontext
    with scope():
        keras.utils.set_random_seed(5)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2, activation="tanh")])
        optimizer = make()
        optimizer.build(model.trainable_variables)

    def step(inputs, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(inputs, training=True) - targets)) / replicas
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [variable.value for variable in model.trainable_variables])
        optimizer.apply(gradients, model.trainable_variables)

    def part(context, values):
        size = values.shape[0] // replicas
        start = context.replica_id_in_sync_group * size
        return values[start : start + size]

    @tf.function(jit_compile=jit)
    def loop():
        for index in tf.range(len(x)):
            pair = [tf.gather(tf.constant(values), index) for values in (x, y)]
            local = [
                strategy.experimental_distribute_values_from_function(lambda context, each=each: part(context, each))
                if replicas > 1
                else each
                for each in pair
            ]
            strategy.run(step, args=local)

    loop()
    with scope():
        optimizer.finalize_variable_values(model.trainable_variables)
    copies = [strategy.experimental_local_results(weight.value) for weight in model.trainable_variables]
    values = [np.concatenate([copy[index].numpy().ravel() for copy in copies]) for index in range(replicas)]
    for value in values[1:]:
        np.testing.assert_array_equal(value, values[0])  # replicas never drift apart
    return values[0]


@pytest.fixture(scope="module")
def single() -> dict[tuple[str, str], np.ndarray]:
    """Weights of the runs on one device, each made once."""
    return {}


def reference(single, entry, name):
    key = (entry.__name__, name)
    if key not in single:
        single[key] = train(lambda: entry.build(**options_of(name)))
    return single[key]


# Adam's steps do not depend on how long gradients are, gradient descent's do: it sees a sum in place of a mean.
@pytest.mark.parametrize("entry", [sgd, adam], ids=["sgd", "adam"])
@pytest.mark.parametrize("name", OPTIONS)
def test_with_jit(name, entry, single):
    actual = train(lambda: entry.build(**options_of(name)), jit=True)
    np.testing.assert_allclose(actual, reference(single, entry, name), rtol=0, atol=5e-7)


@pytest.mark.parametrize("entry", [sgd, adam], ids=["sgd", "adam"])
@pytest.mark.parametrize("name", OPTIONS)
def test_on_two_replicas(name, entry, single, two_replicas):
    actual = train(lambda: entry.build(**options_of(name)), strategy=two_replicas)
    np.testing.assert_allclose(actual, reference(single, entry, name), rtol=0, atol=5e-7)


@pytest.mark.parametrize("entry", [sgd, momentum, adagrad, rmsprop], ids=["sgd", "momentum", "adagrad", "rmsprop"])
def test_the_others_on_two_replicas(entry, single, two_replicas):
    actual = train(lambda: entry.build(**options_of("accumulation_ema")), strategy=two_replicas)
    np.testing.assert_allclose(actual, reference(single, entry, "accumulation_ema"), rtol=0, atol=5e-7)


@pytest.mark.parametrize("name", [name for name in OPTIONS if "accumulation" not in name])
def test_one_device_does_what_keras_does(name, single):
    """Keras's SGD has the same rule, and on one device without accumulation its options are right."""
    expected = train(lambda: keras.optimizers.SGD(**{"learning_rate": 0.01, **options_of(name)}))
    np.testing.assert_allclose(reference(single, sgd, name), expected, rtol=0, atol=5e-7)


@pytest.mark.parametrize("options", [{}, {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2}])
@pytest.mark.parametrize("entry", [momentum, adam], ids=["momentum", "adam"])
def test_accumulation_is_the_big_batch(entry, options):
    x, y = data()
    small = [values.reshape(STEPS * 4, BATCH // 4, -1) for values in (x, y)]
    accumulated = train(lambda: entry.build(gradient_accumulation_steps=4, **options), x=small[0], y=small[1])
    np.testing.assert_allclose(accumulated, train(lambda: entry.build(**options)), rtol=0, atol=5e-7)


def test_clipping_changes_something(single):
    """The options above are not without effect on this problem, or equality would prove nothing."""
    plain = reference(single, sgd, "none")
    for name in [name for name in OPTIONS if name not in ("none", "loss_scale")]:
        assert np.abs(reference(single, sgd, name) - plain).max() > 1e-4, name


def test_jit_on_two_replicas_is_refused(two_replicas):
    with pytest.raises(InvalidOption, match="jit_compile=True cannot be used with 2 replicas"):
        train(adam.build, strategy=two_replicas, jit=True)


def test_an_optimizer_from_outside_the_scope_is_refused(two_replicas):
    optimizer = adam.build()
    with two_replicas.scope():
        variable = keras.Variable([1.0])
        with pytest.raises(InvalidOption, match=r"make model and optimizer in one `strategy.scope\(\)`"):
            optimizer.build([variable])


def test_rows_of_an_embedding():
    """The gradient of an embedding comes as rows and indices; repeated rows add up."""
    table = keras.Variable(np.ones((4, 2), np.float32))
    optimizer = momentum.build(learning_rate=0.5)
    rows = tf.IndexedSlices(tf.constant([[1.0, 2.0], [10.0, 20.0], [3.0, 4.0]]), tf.constant([1, 3, 1]), (4, 2))
    optimizer.apply([rows], [table])
    np.testing.assert_allclose(table.numpy(), [[1, 1], [-1, -2], [1, 1], [-4, -9]])


def test_excluded_variables_do_not_decay():
    kernel, bias = keras.Variable([2.0], name="kernel"), keras.Variable([2.0], name="bias")
    optimizer = sgd.build(learning_rate=0.5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([tf.zeros(1), tf.zeros(1)], [kernel, bias])
    assert (float(kernel.numpy()[0]), float(bias.numpy()[0])) == (pytest.approx(1.9), 2.0)


def test_an_integer_rate_and_a_callable_rate():
    for rate in (1, lambda: 1.0):
        weight = keras.Variable([3.0])
        sgd.build(learning_rate=rate).apply([tf.constant([2.0])], [weight])
        assert float(weight.numpy()[0]) == 1.0


def test_the_average_follows_weights_without_a_gradient():
    """What is put in at the end of training must not be the zero that an average starts from."""
    trained, idle = keras.Variable([1.0]), keras.Variable([7.0])
    optimizer = sgd.build(learning_rate=0.5, use_ema=True)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([tf.constant([1.0]), None], [trained, idle])
    optimizer.finalize_variable_values([trained, idle])
    assert (float(trained.numpy()[0]), float(idle.numpy()[0])) == (0.5, 7.0)
