"""Which data an evaluation takes: read as the run's own were, but those that were asked for."""

from types import SimpleNamespace

import pytest

from fdl_zoo.artifacts.evaluate import _dataset
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve


@pytest.fixture(autouse=True)
def all_are_prepared(monkeypatch):
    monkeypatch.setattr("fdl_zoo.availability.require", lambda *given: None)


def trained_on(data):
    return SimpleNamespace(has_spec=True, spec=resolve(make_layers("mlp", data)).spec)


def test_another_member_of_the_family_is_not_the_one_that_was_trained_on():
    located = trained_on({"name": "tfds/mnist", "seed": 3})
    name, options = _dataset(located, "tfds/kmnist", "/elsewhere")
    assert name == "tfds"
    assert options["source"].startswith("kmnist")
    assert options["data_dir"] == "/elsewhere"


@pytest.mark.parametrize("directory", [None, "/elsewhere"])
def test_the_same_data_may_lie_elsewhere(directory):
    located = trained_on({"name": "mnist", "data_dir": "/here"})
    assert _dataset(located, "mnist", directory)[1]["data_dir"] == (directory or "/here")


def test_another_file_is_read_as_the_first_one_was(tmp_path):
    for name in ("first", "other"):
        (tmp_path / f"{name}.csv").write_text("a,kind,b\n1,2,3\n")
    located = trained_on({"name": "csv", "path": str(tmp_path / "first.csv"), "target": "kind"})
    _, options = _dataset(located, str(tmp_path / "other.csv"), None)
    assert (options["target"], options["path"]) == ("kind", str(tmp_path / "other.csv"))
