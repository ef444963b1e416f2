"""Gradients by layer and by time, and gates: against TensorFlow's own, against formulas, and against Keras's layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fdl_zoo.analysis.gates import gate_activations, gate_columns, inputs_of, lstm_layer
from fdl_zoo.analysis.gradients import GradientProbe, chain, reach
from fdl_zoo.analysis.histograms import ActivationProbe, centres, dead_share, histogram, weight_histograms
from fdl_zoo.models import convnet, lstm, mlp, rnn

RANDOM = np.random.default_rng(0)
SEQUENCES = RANDOM.standard_normal((6, 9, 2)).astype(np.float32), RANDOM.standard_normal((6, 1)).astype(np.float32)
IMAGES = RANDOM.standard_normal((6, 8, 8, 1)).astype(np.float32), RANDOM.integers(0, 3, 6)
WORDS = np.array([[3, 4, 5, 0, 0], [1, 2, 3, 4, 5]]), np.array([[1.0], [0.0]])


def sequence_model(build, **options):
    keras.utils.set_random_seed(0)
    model = build((9, 2), 1, units=4, **options)
    model.compile(loss="mean_squared_error")
    return model


def image_model(build, **options):
    keras.utils.set_random_seed(0)
    model = build((8, 8, 1), 3, **options)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def expected_by_layer(model, x, y):
    layers = [layer for layer in model.layers if layer.trainable_variables]
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=x, y=tf.constant(y), y_pred=model(x), training=False)
    found = tape.gradient(loss, [[variable.value for variable in layer.trainable_variables] for layer in layers])
    return [np.sqrt(sum(float(tf.reduce_sum(each**2)) for each in map(tf.convert_to_tensor, part))) for part in found]


MODELS = {
    "mlp": lambda: (image_model(mlp.build, units=(5,), l2=0.1), *IMAGES),
    "convnet": lambda: (image_model(convnet.build, filters=(2,), kernel_size=3, units=5), *IMAGES),
    "rnn": lambda: (sequence_model(rnn.build), *SEQUENCES),
    "lstm": lambda: (sequence_model(lstm.build), *SEQUENCES),
    "gru": lambda: (sequence_model(lstm.build, cell="gru"), *SEQUENCES),
    "bilstm": lambda: (sequence_model(lstm.build, bidirectional=True), *SEQUENCES),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_norms_by_layer_are_those_of_the_gradient_tape(name):
    model, x, y = MODELS[name]()
    np.testing.assert_allclose(GradientProbe(model, x, y).by_layer(), expected_by_layer(model, x, y), rtol=1e-5)


@pytest.mark.parametrize("build", [rnn.build, lstm.build])
def test_low_precision_gives_about_the_same(build):
    exact = sequence_model(build)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        low = sequence_model(build)
    finally:
        keras.config.set_dtype_policy(policy)
    low.set_weights(exact.get_weights())
    found, wanted = (GradientProbe(model, *SEQUENCES) for model in (low, exact))
    np.testing.assert_allclose(found.by_layer(), wanted.by_layer(), rtol=0.05)
    np.testing.assert_allclose(found.by_time(), wanted.by_time(), rtol=0.1, atol=1e-3)


def test_words_and_their_padding_pass_too():
    keras.utils.set_random_seed(0)
    model = lstm.build((5,), 1, units=3, vocabulary=9, embedding=4)
    model.compile(loss="mean_squared_error")
    probe = GradientProbe(model, *WORDS)
    np.testing.assert_allclose(probe.by_layer(), expected_by_layer(model, *WORDS), rtol=1e-5)
    assert len(probe.by_time()) == 5


def test_by_time_a_linear_recurrent_layer_has_the_powers_of_its_matrix():
    """dL/dh_t = (W^T)^(T-1-t) v dL/dy, the reason why gradients vanish (chapter 7)."""
    model = sequence_model(rnn.build, activation="linear")
    x, y = SEQUENCES
    matrix = np.asarray(model.get_layer("recurrent").cell.recurrent_kernel, np.float64)
    readout = np.asarray(model.get_layer("output").kernel, np.float64)[:, 0]
    residuals = np.abs(2 * (model.predict(x, verbose=0) - y))
    lengths = [np.linalg.norm(np.linalg.matrix_power(matrix, distance) @ readout) for distance in range(9)]
    by_time = GradientProbe(model, x, y).by_time()
    np.testing.assert_allclose(by_time[::-1], np.mean(residuals) * np.array(lengths), rtol=1e-4)


def test_by_time_of_an_lstm_counts_output_and_memory():
    """By differences: the loss moves with memory and output at a step as the length says."""
    model = sequence_model(lstm.build)
    x, y = SEQUENCES[0][:1], SEQUENCES[1][:1]
    cell, output = model.get_layer("recurrent").cell, model.get_layer("output")

    def loss(step, state, unit, by):
        states = [np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32)]
        for time in range(9):
            _, states = cell(x[:, time], states)
            states = [np.array(each, np.float64) for each in states]
            if time == step:
                states[state][0, unit] += by
            states = [each.astype(np.float32) for each in states]
        return float((np.asarray(output(states[0])) - y)[0, 0].astype(np.float64) ** 2)

    step, size = 6, 1e-2
    slopes = [
        (loss(step, state, unit, size) - loss(step, state, unit, -size)) / (2 * size)
        for state in (0, 1)
        for unit in range(4)
    ]
    assert GradientProbe(model, x, y).by_time()[step] == pytest.approx(np.linalg.norm(slopes), rel=1e-2)


def test_a_model_that_is_no_chain_has_no_gradients_by_time():
    inputs = keras.Input((9, 2))
    left, right = (keras.layers.SimpleRNN(3)(inputs) for _ in range(2))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Add()([left, right])))
    model.compile(loss="mean_squared_error")
    assert chain(model) == []
    probe = GradientProbe(model, *SEQUENCES)
    assert len(probe.by_time()) == 0
    np.testing.assert_allclose(probe.by_layer(), expected_by_layer(model, *SEQUENCES), rtol=1e-5)


def test_looking_changes_nothing():
    model, x, y = MODELS["convnet"]()
    before = model.get_weights()
    variables = [variable.numpy() for variable in model.non_trainable_variables]
    GradientProbe(model, x, y).look()
    assert all(map(np.array_equal, before, model.get_weights()))
    assert all(map(np.array_equal, variables, [variable.numpy() for variable in model.non_trainable_variables]))


def test_the_reach_is_the_furthest_distance_with_a_share_of_the_largest():
    by_time = [1e-9, 0.02, 0.005, 0.5, 1.0]  # the last step is at distance 0
    assert reach(by_time, 0.01) == 3
    assert reach(by_time, 0.1) == 1
    assert reach(np.zeros(5)) == 0


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_gates_lead_to_the_layers_own_output(bidirectional):
    model = sequence_model(lstm.build, bidirectional=bidirectional)
    layer = lstm_layer(model)
    found = gate_activations(layer, *inputs_of(model, layer, SEQUENCES[0]))
    np.testing.assert_allclose(found["state"][:, -1], layer(SEQUENCES[0]), atol=1e-6)
    for name in ("keep", "write", "output"):
        assert found[name].shape == (6, 9, 4)
        assert found[name].min() > 0
        assert found[name].max() < 1
    first = {name: values[0] for name, values in found.items()}
    assert {len(column) for column in gate_columns(first).values()} == {36}


def test_the_gates_of_words_read_the_embedding():
    model = lstm.build((5,), 1, units=3, vocabulary=9, embedding=4)
    layer = lstm_layer(model)
    found = gate_activations(layer, *inputs_of(model, layer, WORDS[0][1:]))  # no padding
    np.testing.assert_allclose(found["state"][:, -1], layer(model.get_layer("embedding")(WORDS[0][1:])), atol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_at_padding_there_are_no_gates_and_the_state_stays(bidirectional):
    model = lstm.build((5,), 1, units=3, vocabulary=9, embedding=4, bidirectional=bidirectional)
    layer, embedding = lstm_layer(model), model.get_layer("embedding")
    words = np.array([[1, 2, 3, 4, 5], [0, 0, 1, 2, 3], [1, 2, 0, 0, 0]])
    found = gate_activations(layer, *inputs_of(model, layer, words))
    np.testing.assert_allclose(found["state"][:, -1], layer(embedding(words), mask=words > 0), atol=1e-6)
    np.testing.assert_array_equal(np.isnan(found["keep"]).all(-1), words == 0)
    np.testing.assert_array_equal(found["state"][2, 1], found["state"][2, 4])


def test_a_model_without_an_lstm_has_no_gates():
    assert lstm_layer(sequence_model(rnn.build)) is None


def test_a_histogram_holds_one_leaves_zeros_out_and_counts_them():
    values = np.concatenate([np.zeros(300), RANDOM.standard_normal(700)])
    found = histogram(values)
    width = (found["high"] - found["low"]) / len(found["density"])
    assert sum(found["density"]) * width == pytest.approx(1)
    assert found["zero_share"] == pytest.approx(0.3)
    assert found["mean"] == pytest.approx(values.mean())
    assert centres(found)[0] == pytest.approx(found["low"] + width / 2)
    assert histogram(np.array([np.nan, np.inf]))["density"]
    assert histogram(np.full(9, 2.0))["low"] < 2 < histogram(np.full(9, 2.0))["high"]


def test_activations_are_those_that_keras_gives_and_dead_units_are_counted():
    model = image_model(convnet.build, filters=(2,), kernel_size=3, units=5)
    model.get_layer("fc").bias.assign(np.array([0, -1e9, -1e9, 0, 0]))
    found = ActivationProbe(model, IMAGES[0]).look()
    np.testing.assert_allclose(found["output"], model.predict(IMAGES[0], verbose=0), rtol=1e-5)
    assert "flatten" not in found
    assert dead_share(found["fc_relu"]) >= 0.4
    assert dead_share(np.array([[0.0, 1.0], [0.0, 0.0]])) == 0.5
    assert set(weight_histograms(model)) == {"conv_1/kernel", "fc/kernel", "output/kernel"}
