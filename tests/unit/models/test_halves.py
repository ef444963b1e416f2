"""Recurrent layers that compute a training batch in halves: against Keras's own, and under the engine."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo as fdl
from fdl_zoo.models import _halves, lstm
from tests.unit.models.layer_step import padding, sequences, step, weights_wherever_it_trains

LAYERS = keras.layers
KINDS = {
    "lstm": (_halves.HalvedLSTM, LAYERS.LSTM),
    "gru": (_halves.HalvedGRU, LAYERS.GRU),
}
PADDED = {"return_sequences": True, "go_backwards": True, "zero_output_for_mask": True}


def pair(kind, dtype="float64", **options):
    """A layer in halves, and Keras's with the same weights."""
    keras.utils.set_random_seed(0)
    halved, plain = (make(5, dtype=dtype, name=name, **options) for make, name in zip(KINDS[kind], "ab", strict=True))
    for layer in (halved, plain):
        layer.build((None, 6, 3))
    generator = np.random.default_rng(2)
    weights = [generator.normal(size=weight.shape, scale=0.5) for weight in plain.get_weights()]
    halved.set_weights(weights)
    plain.set_weights(weights)
    return halved, plain


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_equal_keras(kind, padded):
    halved, plain = pair(kind, **PADDED if padded else {})
    x, mask = sequences(7), padding(7) if padded else None
    for found, wanted in zip(step(halved, x, mask), step(plain, x, mask), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13 * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize("examples", [1, 3, 16])
def test_batches_of_any_length(examples):
    halved, plain = pair("lstm")
    for length in (examples, None):
        found_parts, wanted_parts = step(halved, sequences(examples), length=length), step(plain, sequences(examples))
        for found, wanted in zip(found_parts, wanted_parts, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13 * max(1.0, np.abs(wanted).max()))


def test_within_a_program_of_xla_and_in_bfloat16():
    halved, plain = pair("gru")
    for found, wanted in zip(step(halved, sequences(5), jit=True), step(plain, sequences(5)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13 * max(1.0, np.abs(wanted).max()))
    halved, plain = pair("lstm", dtype="mixed_bfloat16")
    x = sequences(5).astype(np.float32)
    for found, wanted in zip(step(halved, x), step(plain, x), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=0.05 * np.abs(wanted).max())
        assert found.dtype == wanted.dtype


def test_both_halves_run_as_programs_of_their_own_in_training_alone():
    halved, _ = pair("lstm")

    def programs(training):
        graph = tf.function(lambda x: halved(x, training=training)).get_concrete_function(sequences(4)).graph
        return sum("PartitionedCall" in operation.type for operation in graph.get_operations())

    assert programs(training=True) == 2
    assert programs(training=False) == 0
    np.testing.assert_array_equal(halved(sequences(4), training=True), halved(sequences(4)))


def test_units_that_are_dropped_in_a_whole_batch_are_not_halved():
    layer = _halves.HalvedLSTM(3, dropout=0.5, dtype="float64")
    layer.build((None, 6, 3))
    assert step(layer, sequences(4))[0].shape == (4, 3)


def test_a_frozen_layer_passes_gradients_on():
    halved, plain = pair("lstm")
    halved.trainable = plain.trainable = False
    for found, wanted in zip(step(halved, sequences(5), None), step(plain, sequences(5)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)


def test_long_sequences_are_computed_in_halves():
    assert isinstance(lstm.build((100, 2), 10).get_layer("recurrent"), _halves.HalvedLSTM)
    assert isinstance(lstm.build((100, 2), 10, cell="gru").get_layer("recurrent"), _halves.HalvedGRU)
    both = lstm.build((100, 2), 10, bidirectional=True).get_layer("bidirectional")
    assert isinstance(both.forward_layer, _halves.HalvedLSTM)
    assert isinstance(both.backward_layer, _halves.HalvedLSTM)
    for options in ({"input_shape": (8, 8)}, {"unroll": True, "units": 2}, {"units": 63}):
        model = lstm.build(**{"input_shape": (100, 2), "num_outputs": 10, **options})
        assert not isinstance(model.get_layer("recurrent"), _halves.InHalves)


def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 3)), _halves.HalvedGRU(4), LAYERS.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def data():
    return sequences(50).astype(keras.config.floatx()), np.random.default_rng(1).integers(0, 3, 50)


def test_the_engine_is_bit_equal_to_fit():
    x, y = data()
    plain, model = network(), network()
    assert not model.jit_compile  # Keras's "auto"
    plain.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    model.fit(fdl.accelerate(model, x, y, batch_size=16, shuffle=False), epochs=2, verbose=0)
    for found, wanted in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_saved_model_trains_on(tmp_path):
    x, y = data()
    model = network()
    model.fit(x, y, batch_size=25, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(x, y, batch_size=25, shuffle=False, verbose=0)
    for found, wanted in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
def test_neither_xla_nor_a_second_replica_changes_the_weights_in_float64(two_replicas, float64):
    found = weights_wherever_it_trains(network, *data(), two_replicas)
    for one, compiled, shared in zip(*found, strict=True):
        np.testing.assert_allclose(compiled, one, rtol=0, atol=1e-10)
        np.testing.assert_allclose(shared, one, rtol=0, atol=1e-10)
