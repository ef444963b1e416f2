"""The rule against the paper's algorithm in NumPy, and everything that fdl_zoo asks of an optimizer."""

import keras
import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.testing import conformance


@conformance("optimizers", origin="fdl-lion")
def test_conformance(name, check):
    check(name)


def oracle(w, gradients, learning_rate, beta_1, beta_2, weight_decay):
    """Algorithm 2 of the paper in float64, weight by weight."""
    w, m = w.copy(), np.zeros_like(w)
    for g in gradients:
        for i in np.ndindex(w.shape):
            c = beta_1 * m[i] + (1 - beta_1) * g[i]
            direction = 1.0 if c > 0 else -1.0 if c < 0 else 0.0
            w[i] = w[i] - learning_rate * (direction + weight_decay * w[i])
            m[i] = beta_2 * m[i] + (1 - beta_2) * g[i]
    return w


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("beta_1", "beta_2", "weight_decay"), [(0.9, 0.99, 0.0), (0.95, 0.98, 1.0), (0.0, 0.0, 0.3)])
def test_twenty_steps_are_those_of_the_paper(dtype, beta_1, beta_2, weight_decay):
    generator = np.random.default_rng(0)
    start, gradients = generator.standard_normal((4, 3)), generator.standard_normal((20, 4, 3))
    gradients[:, 0, 0] = 0  # no gradient, no direction
    expected = oracle(start, gradients, 0.01, beta_1, beta_2, weight_decay)
    variable = keras.Variable(start, dtype=dtype)
    optimizer = fdl.create_optimizer(
        "lion", learning_rate=0.01, beta_1=beta_1, beta_2=beta_2, weight_decay=weight_decay or None
    )
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient, dtype)], [variable])
    # The rate itself is a float32 variable of Keras's: 0.01 is off by 2e-8 of itself there.
    np.testing.assert_allclose(np.asarray(variable), expected, rtol=0, atol=2e-8 if dtype == "float64" else 2e-6)


def test_it_steps_as_the_one_of_keras():
    results = []
    for optimizer in (fdl.create_optimizer("lion", learning_rate=0.01), keras.optimizers.Lion(0.01)):
        variable = keras.Variable(np.linspace(-1, 1, 12).reshape(3, 4))
        for step in range(10):
            optimizer.apply([keras.ops.sin(variable.value * (step + 1))], [variable])
        results.append(np.asarray(variable))
    np.testing.assert_allclose(*results, rtol=0, atol=1e-6)


def test_the_sparse_gradient_of_an_embedding_is_as_a_dense_one():
    words, targets = np.random.default_rng(0).integers(0, 9, (32, 5)), np.ones(32)
    results = []
    for optimizer in (fdl.create_optimizer("lion", learning_rate=0.01), keras.optimizers.Lion(0.01)):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Embedding(9, 4), keras.layers.Flatten(), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((5,)), *layers])
        model.compile(optimizer, "mse")
        model.fit(words, targets, epochs=2, shuffle=False, verbose=0)
        results.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
    np.testing.assert_allclose(*results, rtol=0, atol=1e-6)
