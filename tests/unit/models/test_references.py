"""What `fdl.train` reaches by the cards' recipes lies within the stated tolerance of the stated references."""

import functools
import tempfile

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import fdl_zoo as fdl
from fdl_zoo import catalogue
from fdl_zoo.availability import is_prepared
from fdl_zoo.training.progress import Silent

pytestmark = pytest.mark.usefixtures("undrawn")

LEAST = {"mlp": 0.97, "convnet": 0.985}  # what any recipe of theirs has to reach on digits
RECIPES = [  # one seed each, and five in the long tests
    ("logistic_regression", "digits"),
    ("mlp", "digits"),
    ("convnet", "digits"),
    ("convnet_bn", "digits"),
    ("alexnet_small", "digits"),
    ("vgg_small", "digits"),
    ("rnn", "digits_rows"),
    ("lstm", "digits_rows"),
    ("gru", "digits_rows"),
    ("bilstm", "digits_rows"),
    ("perceptron", "breast_cancer"),
]


@functools.cache
def dataset(name):
    return fdl.load_dataset(name)


def trained(model, data, seed):
    """The run of a recipe as `fdl train MODEL --data DATA --seed SEED` makes it, and its model."""
    with tempfile.TemporaryDirectory() as root:
        run = fdl.train(model, data=data, seed=seed, root=root, progress=Silent(), settings=["tracking.enabled=false"])
        return run.metrics, run.model


@functools.cache
def metrics(name, data_name, seed):
    return trained(name, data_name, seed)[0]


def reaches(name, data_name, seeds):
    reference = catalogue.models.find(name).card.recipe(data_name).reference
    found = np.mean([metrics(name, data_name, seed)[reference.metric] for seed in range(seeds)])
    assert found == pytest.approx(reference.value, abs=reference.tolerance)
    assert found >= LEAST.get(name, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "data_name"), RECIPES)
def test_the_recipe_reaches_the_cards_reference(name, data_name):
    reaches(name, data_name, seeds=1)


@pytest.mark.long
@pytest.mark.parametrize(("name", "data_name"), RECIPES)
def test_the_recipe_reaches_the_cards_reference_over_five_seeds(name, data_name):
    reaches(name, data_name, seeds=5)


@pytest.mark.slow
def test_logistic_regression_is_within_a_hundredth_of_scikit_learns():
    data = dataset("digits")
    flat = {name: split.x.reshape(len(split), -1) for name, split in data.splits.items()}
    theirs = LogisticRegression(max_iter=1000).fit(flat["train"], data.train.y).score(flat["test"], data.test.y)
    ours = metrics("logistic_regression", "digits", 0)["test_accuracy"]
    assert ours == pytest.approx(theirs, abs=0.01)


@pytest.mark.slow
def test_the_linear_neuron_is_least_squares():
    data = dataset("diabetes")
    _, model = trained("linear", "diabetes", seed=0)
    exact = LinearRegression().fit(data.train.x, data.train.y).predict(data.train.x)
    found = np.mean((model.predict(data.train.x, verbose=0) - data.train.y.reshape(len(data.train), -1)) ** 2)
    assert found == pytest.approx(np.mean((exact - data.train.y) ** 2), rel=0.03)


@pytest.mark.slow
def test_mnist_reaches_the_books_994_where_it_is_prepared():
    if not is_prepared(catalogue.datasets.find("mnist").card.source):
        pytest.skip("MNIST is not prepared on this machine: training on it where there is a network prepares it")
    reaches("convnet", "mnist", seeds=1)


def adding_error(name, length):
    """Mean squared error on test sequences of the adding problem, by the recipe."""
    return trained(name, {"name": "adding", "length": length}, seed=0)[0]["test_loss"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_both_recurrent_networks_solve_the_adding_problem_at_length_10(name):
    assert adding_error(name, 10) < 0.01


@pytest.mark.long
def test_lstm_solves_the_adding_problem_at_length_100_where_rnn_fails():
    assert adding_error("lstm", 100) < 0.01
    assert adding_error("rnn", 100) > 0.12  # always answering 1 costs 1/6
