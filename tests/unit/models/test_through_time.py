"""The recurrent layer that is differentiated by hand: against Keras's, at every option that it takes itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo as fdl
from fdl_zoo.models import _recurrent, rnn
from fdl_zoo.models._through_time import SLOPES, ThroughTimeRNN
from fdl_zoo.training.engine import Engine
from tests.unit.models.layer_step import padding, sequences, step, weights_wherever_it_trains

LAYERS = keras.layers


def pair(ours=ThroughTimeRNN, cell=LAYERS.SimpleRNNCell, dtype="float64", **options):
    """Our layer, and Keras's around the same cell; with the same weights."""
    activation = options.pop("activation", "tanh")
    layers = [make(cell(5, activation=activation, dtype=dtype), dtype=dtype, **options) for make in (ours, LAYERS.RNN)]
    generator = np.random.default_rng(2)
    for layer in layers:
        layer.build((None, 6, 3))
    weights = [generator.normal(size=weight.shape, scale=0.5) for weight in layers[1].get_weights()]
    for layer in layers:
        layer.set_weights([*[np.zeros(5)] * (len(layer.weights) - len(weights)), *weights])  # a learned state is first
    return layers


def assert_equal(found, wanted, tolerance=1e-13):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("activation", SLOPES)
def test_outputs_and_gradients_equal_keras(activation, padded):
    ours, plain = pair(activation=activation)
    x, mask = sequences(7), padding(7) if padded else None
    assert_equal(step(ours, x, mask), step(plain, x, mask))


def test_steps_that_do_not_count_anywhere_leave_the_state_as_it_is():
    ours, plain = pair()
    mask = np.random.default_rng(3).integers(0, 2, (7, 6)).astype(bool)
    mask[0] = False
    assert_equal(step(ours, sequences(7), mask), step(plain, sequences(7), mask))
    np.testing.assert_array_equal(ours(sequences(7), mask=mask, training=True)[0], np.zeros(5))


@pytest.mark.parametrize("learned", [False, True])
def test_an_example_without_any_step_is_trained_as_it_is_evaluated(learned):
    model = rnn.build((6, 3), 2, units=5, learned_state=learned)
    layer = model.get_layer("recurrent")
    layer.set_weights([np.random.default_rng(2).normal(size=each.shape) for each in layer.weights])
    mask = padding(7)
    mask[0] = False
    one, other = (layer(sequences(7), mask=mask, training=training) for training in (True, False))
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("examples", [1, 4])
def test_batches_of_known_and_of_any_length(examples, jit):
    ours, plain = pair()
    wanted = step(plain, sequences(examples))
    for length in (examples, None):
        assert_equal(step(ours, sequences(examples), jit=jit, length=length), wanted)


def test_averaged_gradients():
    def averaged(units, **options):
        return _recurrent.AveragedCell(units, 6, **options)

    x = sequences(7)
    found, wanted = (step(layer, x) for layer in pair(cell=averaged))
    assert_equal(found, wanted)
    assert_equal(found[2:], [gradient / 6 for gradient in step(pair()[0], x)[2:]])


def test_an_eager_step():
    ours, plain = pair()
    found = []
    for layer in (ours, plain):
        x = tf.constant(sequences(7))
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
        found.append([outputs, *tape.gradient(outputs, [x, *(each.value for each in layer.trainable_variables)])])
    assert_equal(*found)


def test_the_learned_state_gets_its_gradient():
    ours, _ = pair(_recurrent.LearnedStateRNN)
    x = sequences(7)
    found = step(ours, x)[2]

    def loss(state):
        ours.state.assign(state)
        return float(keras.ops.sum(ours(x) ** 2))  # outside training it is Keras's loop

    slopes = [(loss(np.eye(5)[unit] * 1e-6) - loss(np.eye(5)[unit] * -1e-6)) / 2e-6 for unit in range(5)]
    np.testing.assert_allclose(found, slopes, rtol=1e-6)


def test_low_precision_keeps_its_type():
    ours, plain = pair(dtype="mixed_bfloat16")
    x = sequences(7).astype(np.float32)
    found, wanted = step(ours, x), step(plain, x)
    assert [part.dtype for part in found] == [part.dtype for part in wanted]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=0.05 * np.abs(other).max())


LEFT_TO_KERAS = {
    "all outputs": {"return_sequences": True},
    "backwards": {"go_backwards": True},
    "unrolled": {"unroll": True},
    "zero outputs": {"return_sequences": True, "zero_output_for_mask": True},
    "another nonlinearity": {"activation": "softsign"},
    "another cell": {"cell": LAYERS.GRUCell},
    "no bias": {"cell": lambda units, **options: LAYERS.SimpleRNNCell(units, use_bias=False, **options)},
}


@pytest.mark.parametrize("options", LEFT_TO_KERAS.values(), ids=LEFT_TO_KERAS)
def test_what_it_does_not_compute_itself_is_left_to_keras(options):
    ours, plain = pair(**options)
    assert_equal(step(ours, sequences(7), padding(7)), step(plain, sequences(7), padding(7)))


def test_dropped_units_are_left_to_keras():
    layer = ThroughTimeRNN(LAYERS.SimpleRNNCell(5, dropout=1 - 1e-9, dtype="float64"), dtype="float64")
    layer.build((None, 6, 3))
    assert not np.any(step(layer, sequences(4))[2])  # no input arrives, so that its weights have no gradient


def test_a_frozen_layer_passes_gradients_on():
    ours, plain = pair()
    ours.trainable = plain.trainable = False
    assert_equal(step(ours, sequences(5)), step(plain, sequences(5)))


def network(**options):
    keras.utils.set_random_seed(0)
    model = rnn.build((6, 3), 3, units=4, **options)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def data():
    return sequences(50).astype(keras.config.floatx()), np.random.default_rng(1).integers(0, 3, 50)


@pytest.mark.parametrize("learned_state", [False, True])
def test_the_engine_is_bit_equal_to_fit(learned_state):
    x, y = data()
    plain, model = (network(learned_state=learned_state) for _ in range(2))
    plain.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    model.fit(fdl.accelerate(model, x, y, batch_size=16, shuffle=False, jit=False), epochs=2, verbose=0)
    for found, wanted in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_the_engine_compiles_it():
    model = network()
    fdl.accelerate(model, *data())
    assert Engine.of(model).jit


@pytest.mark.slow
def test_neither_xla_nor_a_second_replica_changes_the_weights_in_float64(two_replicas, float64):
    found = weights_wherever_it_trains(network, *data(), two_replicas)
    for one, compiled, shared in zip(*found, strict=True):
        np.testing.assert_allclose(compiled, one, rtol=0, atol=1e-10)
        np.testing.assert_allclose(shared, one, rtol=0, atol=1e-10)
