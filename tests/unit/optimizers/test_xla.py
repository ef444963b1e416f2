"""Under XLA the weights of a large layer are updated in place, and the order that this takes changes no number."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fdl_zoo.optimizers import _xla, sgd

WIDTH = 128  # of layers whose weights are just large enough


def copied(optimizer: keras.optimizers.Optimizer) -> int:
    """How often a step copies weights of the network's second or third layer, by the program that XLA makes of it."""
    layers = [keras.layers.Dense(WIDTH, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((WIDTH,)), *layers])
    optimizer.build(model.trainable_variables)
    x = tf.ones((4, WIDTH))

    def step(index: tf.Tensor) -> tuple[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x)))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return (index + 1,)

    block = tf.function(
        lambda: tf.while_loop(lambda index: index < 5, step, (tf.constant(0),)), jit_compile=True, autograph=False
    )
    program = block.experimental_get_compiler_ir()(stage="optimized_hlo")
    return sum(f"= f32[{WIDTH},{WIDTH}]" in line and " copy(" in line for line in program.splitlines())


@pytest.mark.parametrize("name", ["sgd", "momentum", "adagrad", "rmsprop", "adam"])
def test_large_weights_are_not_copied(name, monkeypatch):
    assert copied(keras.optimizers.get(f"fdl_zoo>{name}")) == 0
    monkeypatch.setattr("fdl_zoo.optimizers._base.COSTLY", WIDTH**2 + 1)
    assert copied(keras.optimizers.get(f"fdl_zoo>{name}")) > 0, "TensorFlow's XLA needs no waiting any more: remove it."


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("before", [0.5, np.nan, np.inf, -np.inf])
def test_the_rate_is_the_same_whatever_it_waits_for(before, jit):
    waiting = tf.function(_xla.once_known, jit_compile=jit)
    for rate in (0.1, 1e-30, 0.0):
        found = waiting(tf.fill((2, 3), before), tf.constant(rate, tf.float64), tf.constant(1, tf.int64))
        assert found.numpy() == rate


def test_a_gradient_of_no_numbers_can_be_waited_for():
    assert _xla.once_known(tf.zeros((0, 3)), tf.constant(0.5), tf.constant(1)).numpy() == 0.5


def test_what_is_not_finite_stays_in_its_own_variable():
    small, large = keras.Variable(np.zeros(3)), keras.Variable(np.zeros((WIDTH, WIDTH)))
    optimizer = sgd.build(learning_rate=1.0)
    optimizer.build([small, large])
    apply = tf.function(lambda *given: optimizer.apply(list(given), [small, large]), jit_compile=True)
    apply(tf.fill((3,), np.nan), tf.ones((WIDTH, WIDTH)))
    assert np.isnan(small.numpy()).all()
    np.testing.assert_array_equal(large.numpy(), -1.0)
