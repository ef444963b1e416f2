"""The noisy quadratic against NumPy, and against what DeepOBS published."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo.optimizers as optimizers
from fdl_zoo.datasets import quadratic_deep
from fdl_zoo.errors import InvalidData
from fdl_zoo.models import quadratic

# DeepOBS's results on quadratic_deep: test loss after 100 epochs, mean and standard deviation over ten seeds. Its
# iterator starts anew each epoch with the same seed, so each run sees its seven batches in one order a hundred times.
DEEPOBS = {
    "sgd": ({"learning_rate": 0.01584893192461114}, 87.40, 0.16),
    "momentum": ({"learning_rate": 0.002511886431509582, "momentum": 0.99}, 87.05, 0.02),
    "adam": ({"learning_rate": 0.039810717055349734}, 87.11, 0.02),
}
START = 353.44676426478793  # the test loss of every one of its runs before the first step


def losses(theta: np.ndarray, x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    difference = theta - x.astype(np.float64)
    return 0.5 * np.einsum("bi,ij,bj->b", difference, matrix, difference)


def test_the_eigenvalues_are_those_of_a_deep_network():
    matrix = quadratic.hessian(100, 42)
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert np.sum((eigenvalues > 0) & (eigenvalues < 1)) == 90
    assert np.sum((eigenvalues > 30) & (eigenvalues < 60)) == 10
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-13)


@pytest.mark.parametrize("size", [2, 3, 10])
def test_a_rotation_is_one(size):
    rotation = quadratic.random_rotation(size, np.random.RandomState(0))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(size), atol=1e-14)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_outputs_and_gradient_are_the_formulas():
    model = quadratic.build((7,), seed=3)
    x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    theta = np.linspace(-1, 1, 7).astype(np.float32)
    model.set_weights([theta])
    matrix = quadratic.hessian(7, 3)
    with tf.GradientTape() as tape:
        outputs = model(x)
        loss = tf.reduce_mean(outputs)
    assert outputs.shape == (5, 1)
    np.testing.assert_allclose(outputs[:, 0], losses(theta, x, matrix), rtol=1e-5)
    (gradient,) = tape.gradient(loss, [model.trainable_variables[0].value])
    np.testing.assert_allclose(gradient, matrix @ (theta - x.mean(axis=0)), rtol=1e-4, atol=1e-4)


def test_the_problem_is_deepobss():
    model, data = quadratic.build(), quadratic_deep.build()
    assert model.count_params() == quadratic.CARD.num_params == 100
    assert float(model.predict(data.test.x, verbose=0).mean()) == pytest.approx(START, rel=1e-6)


def test_it_is_saved_and_loaded(tmp_path):
    model = quadratic.build((4,), seed=9)
    model.save(tmp_path / "model.keras")
    x = np.ones((2, 4), np.float32) * 3
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))


@pytest.mark.parametrize(("shape", "outputs"), [((8, 8), 1), ((1,), 1), ((100,), 2)])
def test_what_it_cannot_take(shape, outputs):
    with pytest.raises(InvalidData, match="it takes vectors of at least 2 numbers and gives one loss"):
        quadratic.build(shape, outputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEPOBS)
def test_deepobss_results_are_reproduced(name):
    options, mean, deviation = DEEPOBS[name]
    data = quadratic_deep.build()
    model = quadratic.build()
    optimizer = getattr(optimizers, name).build(**options)
    optimizer.build(model.trainable_variables)
    fresh = [each.numpy() for each in [*model.variables, *optimizer.variables]]
    x = tf.constant(data.train.x)

    @tf.function(jit_compile=True)
    def train(order):
        """Seven batches of 128 [7, 128], a hundred times over."""
        for index in tf.range(700):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(model(tf.gather(x, order[index % 7]), training=True))
            optimizer.apply(tape.gradient(loss, [model.trainable_variables[0].value]), model.trainable_variables)

    finals = []
    for seed in range(10):
        for variable, value in zip([*model.variables, *optimizer.variables], fresh, strict=True):
            variable.assign(value)
        order = np.random.default_rng(seed).permutation(1000)[: 7 * 128].reshape(7, 128)
        train(tf.constant(order))
        finals.append(losses(model.get_weights()[0], data.test.x, quadratic.hessian(100, 42)).mean())
    assert abs(np.mean(finals) - mean) <= 2 * deviation
