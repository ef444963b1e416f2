"""Dense models: parameter counts, and forward passes against NumPy in float64 and against scikit-learn."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from fdl_zoo.models import linear, logistic_regression, mlp, perceptron

ACTIVATIONS = {
    "linear": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}


def forward(model, x, activation):
    """The network's output in float64 from its kernels and biases."""
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    x = x.reshape(len(x), -1).astype(np.float64)
    for number, layer in enumerate(dense):
        kernel, bias = (np.asarray(weight, np.float64) for weight in layer.get_weights())
        x = x @ kernel + bias
        if number + 1 < len(dense):
            x = activation(x)
    return x


def randomize(model):
    """Biases and zero kernels would hide mistakes."""
    generator = np.random.default_rng(0)
    model.set_weights([generator.normal(size=weight.shape, scale=0.2) for weight in model.get_weights()])


@pytest.mark.parametrize("module", [logistic_regression, mlp])
def test_the_card_states_the_parameters_of_the_book(module):
    model = module.build(module.CARD.input_shape, module.CARD.num_outputs)
    assert model.count_params() == module.CARD.num_params == {"logistic_regression": 7850, "mlp": 269322}[model.name]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_equals_numpy(activation):
    model = mlp.build((4, 4, 2), 3, units=(7, 5), activation=activation)
    randomize(model)
    x = np.random.default_rng(1).normal(size=(6, 4, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(model(x), forward(model, x, ACTIVATIONS[activation]), rtol=1e-5, atol=1e-5)


def test_logistic_regression_equals_numpy_and_starts_at_zero():
    model = logistic_regression.build((5,), 3)
    assert all((weight == 0).all() for weight in model.get_weights())
    randomize(model)
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    np.testing.assert_allclose(model(x), forward(model, x, None), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("module", "theirs", "predict"),
    [(linear, LinearRegression(), "predict"), (perceptron, LogisticRegression(), "decision_function")],
    ids=["linear", "perceptron"],
)
def test_one_layer_with_scikit_learns_weights_gives_its_outputs(module, theirs, predict):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(40, 5)).astype(np.float32)
    theirs.fit(x, generator.permutation(40) % 2)
    model = module.build((5,), 1)
    model.set_weights([theirs.coef_.reshape(5, 1), np.reshape(theirs.intercept_, 1)])
    np.testing.assert_allclose(model(x)[:, 0], getattr(theirs, predict)(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (4, 3), (8, 8, 1), (2, 2, 2, 2)])
def test_any_input_shape_is_flattened(shape):
    assert mlp.build(shape, 1)(np.zeros((2, *shape), np.float32)).shape == (2, 1)


@pytest.mark.parametrize(
    ("name", "deviation", "bound"),
    [("he_normal", 0.1, 2 / 0.8796), ("book_normal", 0.1, 6), ("uniform", 0.5774, 1.733)],
)
def test_initial_weights_have_the_stated_spread(name, deviation, bound):
    keras.utils.set_random_seed(0)
    kernel = mlp.build((200,), 1, units=(500,), initializer=name).get_layer("hidden_1").get_weights()[0]
    assert kernel.std() == pytest.approx(deviation, rel=0.01)  # sqrt(2 / 200), or 1 / sqrt(3)
    assert np.abs(kernel).max() < bound * deviation * 1.001
    if name == "book_normal":  # not cut off: 100,000 draws pass 3 deviations
        assert np.abs(kernel).max() > 3 * deviation


def test_two_layers_of_one_shape_start_differently():
    model = mlp.build((6,), 2, units=(6, 6))
    assert not np.array_equal(
        model.get_layer("hidden_1").get_weights()[0], model.get_layer("hidden_2").get_weights()[0]
    )


def test_penalties_are_those_of_the_formulas():
    model = mlp.build((3,), 2, units=(4,), l1=0.1, l2=0.01)
    kernels = [weight for weight in model.get_weights() if weight.ndim == 2]
    expected = sum(0.1 * np.abs(kernel).sum() + 0.01 * np.square(kernel).sum() for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_max_norm_bounds_incoming_weights_after_a_step():
    model = mlp.build((3,), 2, units=(4,), max_norm=0.5)
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    norms = [np.linalg.norm(weight, axis=0) for weight in model.get_weights() if weight.ndim == 2]
    assert max(norm.max() for norm in norms) <= 0.5 + 1e-5


def test_dropout_zeroes_and_rescales_hidden_neurons_in_training_only():
    model = mlp.build((3,), 2, units=(1000,), dropout=0.25)
    hidden = keras.Model(model.input, model.get_layer("dropout_1").output)
    before = keras.Model(model.input, model.get_layer("relu_1").output)
    x = np.ones((1, 3), np.float32)
    kept, full = np.asarray(hidden(x, training=True)), np.asarray(before(x))
    active = full > 0
    assert np.mean(kept[active] == 0) == pytest.approx(0.25, abs=0.06)
    np.testing.assert_allclose(kept[kept > 0], (full / 0.75)[kept > 0], rtol=1e-5)
    np.testing.assert_array_equal(hidden(x), full)


def test_batch_norm_takes_the_place_of_the_bias_and_normalizes_logits():
    model = mlp.build((3,), 2, units=(4,), batch_norm=True)
    assert [weight.shape for weight in model.get_layer("hidden_1").weights] == [(3, 4)]
    logits = keras.Model(model.input, model.get_layer("batch_norm_1").output)
    out = np.asarray(logits(np.random.default_rng(0).normal(size=(500, 3)) * 9, training=True))
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-3)


def test_relu_logits_are_never_negative():
    plain, clipped = mlp.build((3,), 5), mlp.build((3,), 5, relu_logits=True)
    clipped.set_weights(plain.get_weights())
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    np.testing.assert_array_equal(clipped(x), np.maximum(plain(x), 0))
