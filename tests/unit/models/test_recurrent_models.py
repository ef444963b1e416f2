"""rnn and lstm: against NumPy and against Keras's layers with the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fdl_zoo.models import lstm, rnn

X = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)  # [batch, time, features]


def randomize(model):
    generator = np.random.default_rng(1)
    model.set_weights([generator.normal(size=weight.shape, scale=0.5) for weight in model.get_weights()])
    return model


def same_weights(model, **options):
    other = rnn.build((6, 3), 2, units=5, **options)
    other.set_weights(model.get_weights())
    return other


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_rnn_equals_numpy_from_its_learned_state():
    model = randomize(rnn.build((6, 3), 2, units=5))
    state, kernel, recurrent, bias = model.get_layer("recurrent").get_weights()
    state = np.tile(state, (4, 1)).astype(np.float64)
    for step in range(6):
        state = np.tanh(X[:, step] @ kernel + state @ recurrent + bias)
    weight, offset = model.get_layer("output").get_weights()
    np.testing.assert_allclose(model(X), state @ weight + offset, rtol=1e-6, atol=1e-6)


def test_rnn_without_a_learned_state_is_keras_simple_rnn():
    model = randomize(rnn.build((6, 3), 2, units=5, learned_state=False))
    layer = keras.layers.SimpleRNN(5)
    layer.build((None, 6, 3))
    layer.set_weights(model.get_layer("recurrent").get_weights())
    weight, offset = model.get_layer("output").get_weights()
    np.testing.assert_allclose(model(X), layer(X) @ weight + offset, rtol=1e-6, atol=1e-6)


def test_rnn_is_keras_simple_rnn_started_from_the_learned_state():
    model = randomize(rnn.build((6, 3), 2, units=5))
    state, *weights = model.get_layer("recurrent").get_weights()
    layer = keras.layers.SimpleRNN(5)
    layer.build((None, 6, 3))
    layer.set_weights(weights)
    last = layer(X, initial_state=keras.ops.tile(state[None], (len(X), 1)))
    weight, offset = model.get_layer("output").get_weights()
    np.testing.assert_allclose(model(X), last @ weight + offset, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("gradients", ["sum", "average"])
def test_unrolled_equals_rolled(gradients):
    rolled = randomize(rnn.build((6, 3), 2, units=5))
    unrolled = same_weights(rolled, unroll=True, gradients=gradients)
    np.testing.assert_allclose(unrolled(X), rolled(X), rtol=1e-6, atol=1e-6)
    assert unrolled.get_layer("recurrent").unroll


def gradients_of(model):
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.ops.square(model(X) - 1.0))
    found = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    names = [variable.path.split("/", 1)[-1] for variable in model.trainable_variables]
    return dict(zip(names, (gradient.numpy() for gradient in found), strict=True))


@pytest.mark.parametrize("unroll", [False, True])
def test_averaged_gradients_are_the_sum_over_time_divided_by_the_steps(unroll):
    model = randomize(rnn.build((6, 3), 2, units=5, unroll=unroll))
    summed = list(gradients_of(model).values())
    averaged = list(gradients_of(same_weights(model, gradients="average", unroll=unroll)).values())
    shapes = [gradient.shape for gradient in summed]
    assert shapes == [(5,), (3, 5), (5, 5), (5,), (5, 2), (2,)]  # state, kernel, recurrent, bias, output's two
    for total, mean, share in zip(summed, averaged, [1, 6, 6, 6, 1, 1], strict=True):
        np.testing.assert_allclose(mean * share, total, rtol=1e-5, atol=1e-6)


def test_the_initial_state_is_learned():
    model = rnn.build((6, 3), 2, units=5)
    assert (model.get_layer("recurrent").state.numpy() == 0).all()
    model.compile("sgd", "mse")
    model.fit(X, np.ones((4, 2)), verbose=0)
    assert (model.get_layer("recurrent").state.numpy() != 0).any()


def test_lstm_equals_numpy_by_the_books_gates():
    model = randomize(lstm.build((6, 3), 2, units=5))
    found = lstm.gates(model.get_layer("recurrent"))
    output = memory = np.zeros((4, 5))
    for step in range(6):
        logits = {
            gate: X[:, step] @ weights["kernel"] + output @ weights["recurrent_kernel"] + weights["bias"]
            for gate, weights in found.items()
        }
        memory = sigmoid(logits["keep"]) * memory + sigmoid(logits["write"]) * np.tanh(logits["candidate"])
        output = sigmoid(logits["output"]) * np.tanh(memory)
    weight, offset = model.get_layer("output").get_weights()
    np.testing.assert_allclose(model(X), output @ weight + offset, rtol=1e-6, atol=1e-6)


def test_memory_is_kept_at_first():
    biases = {gate: weights["bias"] for gate, weights in lstm.gates(lstm.build().get_layer("recurrent")).items()}
    assert (biases.pop("keep") == 1).all()
    assert all((bias == 0).all() for bias in biases.values())


def test_bilstm_is_one_layer_forwards_and_one_backwards():
    model = randomize(lstm.build((6, 3), 2, units=5, bidirectional=True))
    weights = model.get_layer("bidirectional").get_weights()
    halves = []
    for half, sequence in ((weights[:3], X), (weights[3:], X[:, ::-1])):
        layer = keras.layers.LSTM(5)
        layer.build((None, 6, 3))
        layer.set_weights(half)
        halves.append(layer(sequence))
    weight, offset = model.get_layer("output").get_weights()
    np.testing.assert_allclose(model(X), np.concatenate(halves, axis=1) @ weight + offset, rtol=1e-6, atol=1e-6)


def test_gru_equals_numpy():
    model = randomize(lstm.build((6, 3), 2, units=5, cell="gru"))
    kernel, recurrent, (input_bias, state_bias) = model.get_layer("recurrent").get_weights()
    state = np.zeros((4, 5))
    for step in range(6):
        z, r, h = np.split(X[:, step] @ kernel + input_bias, 3, axis=1)
        z_state, r_state, h_state = np.split(state @ recurrent + state_bias, 3, axis=1)
        update, reset = sigmoid(z + z_state), sigmoid(r + r_state)
        state = update * state + (1 - update) * np.tanh(h + reset * h_state)
    weight, offset = model.get_layer("output").get_weights()
    np.testing.assert_allclose(model(X), state @ weight + offset, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("module", "options"), [(rnn, {}), (lstm, {}), (lstm, {"cell": "gru"})])
def test_words_pass_an_embedding_and_padding_changes_nothing(module, options):
    short = randomize(module.build((4,), 2, units=5, vocabulary=9, embedding=3, **options))
    long = module.build((7,), 2, units=5, vocabulary=9, embedding=3, **options)
    long.set_weights(short.get_weights())
    words = np.array([[1, 5, 8, 2], [3, 3, 7, 4]], np.int32)
    padded = np.pad(words, [(0, 0), (0, 3)])
    np.testing.assert_allclose(long(padded), short(words), rtol=1e-6, atol=1e-6)
