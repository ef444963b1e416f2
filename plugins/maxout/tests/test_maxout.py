"""The layer against NumPy, what its pieces can form, and everything that fdl_zoo asks of a model."""

import numpy as np

import fdl_zoo as fdl
from fdl_zoo.testing import conformance


@conformance("models", origin="fdl-maxout")
def test_conformance(name, check):
    check(name)


def test_the_hidden_layers_are_the_formula_in_numpy():
    model = fdl.create_model("fdl-maxout/maxout", (4, 3), 2, units=(5, 6), pieces=3, dropout=0.0)
    generator = np.random.default_rng(0)
    weights = [generator.standard_normal(weight.shape) for weight in model.get_weights()]
    model.set_weights(weights)
    x = generator.standard_normal((7, 4, 3))
    hidden = x.reshape(7, 12)
    for kernel, bias, units in ((*weights[0:2], 5), (*weights[2:4], 6)):
        neurons = [
            np.max([hidden @ kernel[:, 3 * i + j] + bias[3 * i + j] for j in range(3)], axis=0) for i in range(units)
        ]
        hidden = np.stack(neurons, axis=1)
    np.testing.assert_allclose(model(x), hidden @ weights[4] + weights[5], rtol=1e-4, atol=1e-4)


def test_two_pieces_can_be_the_absolute_value():
    model = fdl.create_model("maxout", (1,), 1, units=(1,), pieces=2, dropout=0.0)
    model.set_weights([np.array([[1.0, -1.0]]), np.zeros(2), np.ones((1, 1)), np.zeros(1)])
    x = np.linspace(-3, 3, 7)[:, None]
    np.testing.assert_array_equal(model(x), np.abs(x).astype(np.float32))


def test_one_piece_is_linear():
    model = fdl.create_model("maxout", (2,), 1, units=(3,), pieces=1, dropout=0.0)
    a, b = np.array([[1.0, 2.0]]), np.array([[-3.0, 0.5]])
    outputs = [np.asarray(model(each)) for each in (a, b, a + b, np.zeros((1, 2)))]
    np.testing.assert_allclose(outputs[2], outputs[0] + outputs[1] - outputs[3], atol=1e-5)


def test_the_norm_of_each_piece_stays_bounded():
    model = fdl.create_model("maxout", (4,), 1, units=(3,), max_norm=0.1)
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4)), np.ones(8), epochs=2, verbose=0)
    norms = np.linalg.norm(model.get_weights()[0], axis=0)
    assert norms.max() <= 0.1 + 1e-5
