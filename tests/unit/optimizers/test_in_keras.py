"""The optimizers in plain Keras: by name, in `fit`, under mixed precision, on two replicas."""

import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo.optimizers as optimizers
from fdl_zoo.errors import InvalidName, InvalidOption
from fdl_zoo.optimizers import adam, momentum, rmsprop
from fdl_zoo.optimizers._base import BaseOptimizer, register

FIRST_ORDER = ("sgd", "momentum", "adagrad", "rmsprop", "adam")


def data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 6)).astype(np.float32)
    return x, (x @ random.normal(size=(6, 3))).argmax(axis=1)


def compiled(optimizer, **options) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, **options)
    return model


def fit(model: keras.Model, epochs: int = 3) -> list[float]:
    return model.fit(*data(), batch_size=16, epochs=epochs, shuffle=False, verbose=0).history["loss"]


def weights(model: keras.Model) -> np.ndarray:
    return np.concatenate([each.ravel() for each in model.get_weights()])


def test_every_file_of_the_folder_is_registered():
    entries = [each.name for each in pkgutil.iter_modules(optimizers.__path__) if not each.name.startswith("_")]
    assert set(FIRST_ORDER) <= set(entries)
    for entry in entries:
        made = keras.optimizers.get(f"fdl_zoo>{entry}")
        assert isinstance(made, BaseOptimizer)
        assert made.get_config().keys() == getattr(optimizers, entry).build().get_config().keys()


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_a_name_and_a_build_are_the_same_optimizer(name):
    by_name = keras.optimizers.get(f"fdl_zoo>{name}").get_config()
    built = getattr(optimizers, name).build().get_config()
    assert {**by_name, "name": ""} == {**built, "name": ""}


def test_kerass_own_names_stay_kerass():
    assert type(keras.optimizers.get("adam")) is keras.optimizers.Adam


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_fit_by_name_lowers_the_loss(name):
    losses = fit(compiled(f"fdl_zoo>{name}"))
    assert losses[-1] < losses[0]


def test_a_name_is_given_once():
    with pytest.raises(InvalidName, match=r"fdl_zoo\.optimizers\.adam\.Adam has this name; choose another"):

        @register("adam")
        class Impostor(BaseOptimizer):
            pass

    assert register("adam")(adam.Adam) is adam.Adam  # the same class again, as when a module is reloaded
    assert type(keras.optimizers.get("fdl_zoo>adam")) is adam.Adam


def test_fit_on_two_replicas_equals_one_device(two_replicas):
    one = compiled(momentum.build(clipnorm=0.1))
    with two_replicas.scope():
        two = compiled(momentum.build(clipnorm=0.1))
    np.testing.assert_allclose(fit(two), fit(one), rtol=1e-5)
    np.testing.assert_allclose(weights(two), weights(one), rtol=0, atol=5e-7)


def test_fit_with_jit_on_two_replicas_is_refused(two_replicas):
    with two_replicas.scope():
        model = compiled(adam.build(), jit_compile=True)
    with pytest.raises(InvalidOption, match="jit_compile=True cannot be used with 2 replicas"):
        fit(model, 1)


def test_mixed_precision_wraps_and_skips_what_overflows():
    """Keras scales the loss by itself; a step with an infinite gradient changes nothing and halves the scale."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled(adam.build())
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    losses = fit(model)
    assert losses[-1] < losses[0]
    before, scale = weights(model), float(model.optimizer.dynamic_scale.numpy())
    model.optimizer.apply([tf.fill(each.shape, np.inf) for each in model.trainable_variables])
    np.testing.assert_array_equal(weights(model), before)
    assert float(model.optimizer.dynamic_scale.numpy()) == scale / 2
    assert int(model.optimizer.inner_optimizer.iterations) == 12


def test_loss_scaling_is_the_same_everywhere(two_replicas):
    """A power of two cancels exactly, so weights equal those without scaling, on one device and on two."""
    options = {"global_clipnorm": 0.1, "gradient_accumulation_steps": 2, "use_ema": True}

    def scaled():
        return keras.optimizers.LossScaleOptimizer(adam.build(**options), initial_scale=2.0**10)

    plain, one = compiled(adam.build(**options)), compiled(scaled())
    with two_replicas.scope():
        two = compiled(scaled())
    for model in (plain, one, two):
        fit(model)
    np.testing.assert_allclose(weights(one), weights(plain), rtol=0, atol=5e-7)
    np.testing.assert_allclose(weights(two), weights(plain), rtol=0, atol=5e-7)


def test_max_norm_holds_on_two_replicas(two_replicas):
    def bounded(optimizer):
        keras.utils.set_random_seed(1)
        layer = keras.layers.Dense(3, kernel_constraint=keras.constraints.MaxNorm(0.5))
        model = keras.Sequential([keras.Input((6,)), layer])
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    one = bounded(adam.build())
    with two_replicas.scope():
        two = bounded(adam.build())
    for model in (one, two):
        fit(model)
        assert np.linalg.norm(model.get_weights()[0], axis=0).max() <= 0.5 + 1e-6
    np.testing.assert_allclose(weights(two), weights(one), rtol=0, atol=5e-7)


def test_rmsprop_is_not_centered_and_corrected_at_once():
    with pytest.raises(InvalidOption, match="choose one of them"):
        rmsprop.build(centered=True, bias_correction=True)
