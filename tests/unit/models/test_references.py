"""The cards' recipes reach their reference results: mean over five seeds, chosen on the validation split alone."""

import functools
import importlib

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

LEAST = {"mlp": 0.97}


@functools.cache
def dataset(name):
    return importlib.import_module(f"fdl_zoo.datasets.{name}").build()


def test_accuracy(name, data_name, seed, **options):
    """Trains a model by its recipe with plain Keras and returns its accuracy on the test split."""
    module, data = importlib.import_module(f"fdl_zoo.models.{name}"), dataset(data_name)
    recipe = module.CARD.recipe(data_name)
    assert recipe.optimizer["name"] == "adam"
    keras.utils.set_random_seed(seed)
    model = module.build(data.input_shape, data.num_outputs, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(recipe.optimizer["learning_rate"]), loss, metrics=["accuracy"])
    model.fit(data.train.x, data.train.y, batch_size=recipe.batch_size, epochs=recipe.epochs, verbose=0)
    return model.evaluate(data.test.x, data.test.y, verbose=0)[1]


test_accuracy.__test__ = False


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logistic_regression", "mlp"])
def test_the_recipe_reaches_the_cards_reference_on_digits(name):
    reference = importlib.import_module(f"fdl_zoo.models.{name}").CARD.recipe("digits").reference
    found = [test_accuracy(name, "digits", seed) for seed in range(5)]
    assert np.mean(found) >= max(reference.value - reference.tolerance, LEAST.get(name, 0))


@pytest.mark.slow
def test_logistic_regression_is_within_a_hundredth_of_scikit_learns():
    data = dataset("digits")
    flat = {name: split.x.reshape(len(split), -1) for name, split in data.splits.items()}
    theirs = LogisticRegression(max_iter=1000).fit(flat["train"], data.train.y).score(flat["test"], data.test.y)
    ours = np.mean([test_accuracy("logistic_regression", "digits", seed) for seed in range(5)])
    assert ours == pytest.approx(theirs, abs=0.01)


def adding_error(name, length, seed=0):
    """Mean squared error on test sequences of the adding problem, by the recipe but with 32 units."""
    module = importlib.import_module(f"fdl_zoo.models.{name}")
    data, recipe = importlib.import_module("fdl_zoo.datasets.adding").build(length=length), module.CARD.recipe("adding")
    keras.utils.set_random_seed(seed)
    model = module.build(data.input_shape, 1, units=32)
    options = {key: value for key, value in recipe.optimizer.items() if key != "name"}
    model.compile(keras.optimizers.Adam(**options), "mse", jit_compile=True)
    model.fit(data.train.x, data.train.y, batch_size=recipe.batch_size, epochs=recipe.epochs, verbose=0)
    return model.evaluate(data.test.x, data.test.y, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_both_recurrent_networks_solve_the_adding_problem_at_length_10(name):
    assert adding_error(name, 10) < 0.01


@pytest.mark.slow
def test_lstm_solves_the_adding_problem_at_length_100_where_rnn_fails():
    assert adding_error("lstm", 100) < 0.01
    assert adding_error("rnn", 100) > 0.12  # always answering 1 costs 1/6
