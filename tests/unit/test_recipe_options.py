"""A recipe may hold options of the model and of the dataset; what the user says is stronger."""

import pytest

from fdl_zoo import rules
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve


@pytest.fixture(autouse=True)
def everything_can_be_had(monkeypatch):
    monkeypatch.setattr(rules.availability, "require", lambda source, data_dir: "reachable")


def test_a_recipe_sets_options_of_the_dataset():
    resolved = resolve(make_layers(model="alexnet"))
    assert resolved.spec.data.name == "digits"
    assert resolved.spec.data.options["enlarge"] == 9
    assert resolved.origins["data.enlarge"] == "recipe of alexnet"
    assert not resolved.notes


def test_a_recipe_sets_options_of_the_model_for_one_dataset_only():
    words = resolve(make_layers(model="lstm", data="imdb_reviews"))
    assert words.spec.model.options["vocabulary"] == 10_000
    assert resolve(make_layers(model="lstm")).spec.model.options["vocabulary"] is None


def test_what_the_user_says_is_stronger():
    resolved = resolve(make_layers(model="alexnet", settings=["data.enlarge=10"]))
    assert resolved.spec.data.options["enlarge"] == 10
