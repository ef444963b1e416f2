"""The loss as a function of parameters: against Keras, against formulas, and against differences of itself."""

import keras
import numpy as np
import pytest

from fdl_zoo.analysis.objective import Objective, in_float64
from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidData
from fdl_zoo.models import convnet, linear, lstm, rnn


def images(count=40):
    random = np.random.default_rng(0)
    return Split(random.standard_normal((count, 8, 8, 1)).astype(np.float32), random.integers(0, 3, count))


def sequences(count=30):
    random = np.random.default_rng(0)
    return Split(random.standard_normal((count, 7, 2)).astype(np.float32), random.standard_normal((count, 1)))


def compiled(model, loss):
    model.compile(loss=loss)
    random = np.random.default_rng(1)  # off the kinks of ReLU, on which biases of zero lie
    model.set_weights([value + np.abs(0.1 * random.standard_normal(value.shape)) for value in model.get_weights()])
    return model


CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
CASES = {
    "convnet with batch norm": lambda: (
        compiled(convnet.build((8, 8, 1), 3, filters=(2,), kernel_size=3, units=5, batch_norm=True), CROSS_ENTROPY),
        images(),
    ),
    "lstm": lambda: (compiled(lstm.build((7, 2), 1, units=3), "mean_squared_error"), sequences()),
    "rnn": lambda: (compiled(rnn.build((7, 2), 1, units=3), "mean_squared_error"), sequences()),
    "linear with penalties": lambda: (
        compiled(linear.build((8, 8, 1), 3, l1=0.1, l2=0.2), CROSS_ENTROPY),
        images(),
    ),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    model, split = CASES[request.param]()
    return model, split, Objective(model, split)


def test_the_loss_is_that_of_keras_in_inference_mode(case):
    model, split, objective = case
    assert objective.value(objective.start) == pytest.approx(model.evaluate(split.x, split.y, verbose=0), rel=1e-5)


def test_the_gradient_and_hessian_are_those_of_finite_differences(case):
    _, _, objective = case
    step = 1e-5
    direction = np.random.default_rng(2).standard_normal(objective.size)
    forth, back = objective.start + step * direction, objective.start - step * direction
    slope = (objective.value(forth) - objective.value(back)) / (2 * step)
    value, gradient = objective.gradient(objective.start)
    assert value == objective.value(objective.start)
    assert gradient @ direction == pytest.approx(slope, rel=1e-6)
    bend = (objective.gradient(forth)[1] - objective.gradient(back)[1]) / (2 * step)
    found = objective.hessian_product(objective.start, direction)
    np.testing.assert_allclose(found, bend, atol=1e-6 * abs(bend).max())


@pytest.mark.parametrize("case", ["convnet with batch norm", "linear with penalties"], indirect=True)
def test_the_chunks_do_not_matter(case):
    model, split, whole = case
    chunked = Objective(model, split, chunk=7)
    direction = np.ones(whole.size)
    assert chunked.value(whole.start) == pytest.approx(whole.value(whole.start), rel=1e-13)
    products = (each.hessian_product(whole.start, direction) for each in (whole, chunked))
    first, second = products
    np.testing.assert_allclose(second, first, rtol=0, atol=1e-12 * abs(first).max())


def test_the_hessian_of_a_linear_neuron_is_that_of_the_formula():
    random = np.random.default_rng(3)
    x, y = random.standard_normal((25, 4)).astype(np.float32), random.standard_normal((25, 1))
    objective = Objective(compiled(linear.build((4,), 1), "mean_squared_error"), Split(x, y))
    columns = np.hstack([np.asarray(x, np.float64), np.ones((25, 1))])
    found = np.stack([objective.hessian_product(objective.start, each) for each in np.eye(5)])
    np.testing.assert_allclose(found, 2 * columns.T @ columns / 25, atol=1e-14)


def test_the_model_stays_as_it_was_and_keras_computes_in_what_it_did():
    model, split = CASES["rnn"]()
    before = model.get_weights()
    objective = Objective(model, split)
    objective.value(objective.start + 1)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert {weight.dtype for weight in objective.model.weights} == {"float64"}
    assert keras.config.floatx() == "float32"


def test_a_model_without_a_loss_is_refused():
    with pytest.raises(InvalidData, match="not compiled"):
        in_float64(rnn.build((7, 2), 1))
