"""What Keras offers by name, read from its source: the same names and options as the installed Keras has."""

import importlib
import inspect

import keras
import pytest

from fdl_zoo.catalogue import callbacks, optimizers
from fdl_zoo.errors import UnknownName
from fdl_zoo.keras_source import keras_entries, keras_names
from fdl_zoo.signature import BASE_OPTIONS

BASES = {"optimizers": keras.optimizers.Optimizer, "callbacks": keras.callbacks.Callback}


def offered(kind):
    """The public concrete classes of a kind."""
    module, base = getattr(keras, kind), BASES[kind]
    found = {name: each for name, each in vars(module).items() if inspect.isclass(each) and issubclass(each, base)}
    return {name: each for name, each in found.items() if each is not base and name != "CallbackList"}


@pytest.mark.parametrize("kind", BASES)
def test_the_names_are_those_of_the_installed_keras(kind):
    entries = keras_entries(kind)
    assert {each.short_name for each in entries} == set(offered(kind))
    assert {each.version for each in entries} == {keras.__version__}
    assert len({each.name.lower() for each in entries}) == len(entries)


@pytest.mark.parametrize("kind", ["models", "datasets"])
def test_keras_has_no_entries_of_other_kinds(kind):
    assert keras_entries(kind) == []


@pytest.mark.parametrize("kind", BASES)
def test_the_options_and_defaults_are_those_of_the_constructors(kind):
    for entry in keras_entries(kind):
        assert entry.source.problem == "", entry.name
        assert entry.summary, entry.name
        parameters = dict(inspect.signature(offered(kind)[entry.short_name].__init__).parameters)
        plain = {
            name: each.default
            for name, each in parameters.items()
            if name not in ("self", "name") and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        }
        assert plain.keys() <= entry.options.keys(), entry.name
        assert entry.options.keys() - plain.keys() <= BASE_OPTIONS.keys(), entry.name
        for name, default in plain.items():
            if default is not inspect.Parameter.empty:
                assert entry.options[name].default == default, f"{entry.name} {name}"


@pytest.mark.parametrize("name", ["keras/AdamW", "keras/adamw", "KERAS/ADAMW"])
def test_an_optimizer_of_keras_is_built_by_name(name):
    built = optimizers.build(name, learning_rate="1e-2", clipnorm=1)
    assert type(built) is keras.optimizers.AdamW
    assert float(built.learning_rate) == pytest.approx(0.01)
    assert built.clipnorm == 1.0


def test_a_callback_of_keras_is_built_by_name():
    assert type(callbacks.build("keras/TerminateOnNaN")) is keras.callbacks.TerminateOnNaN


def test_a_misspelt_name_of_keras_is_answered_with_the_closest():
    with pytest.raises(UnknownName, match=r"did you mean keras/AdamW.*--origin keras"):
        optimizers.find("keras/AdmW")


def test_names_of_keras_do_not_take_ours():
    assert optimizers.find("adam").distribution == "fdl_zoo"
    assert optimizers.find("keras/adam").distribution == "keras"


@pytest.mark.parametrize(("folder", "abstract"), [("losses", {"Loss"}), ("metrics", {"Metric", "metric"})])
def test_the_names_of_losses_and_metrics_are_those_that_keras_makes_something_of(folder, abstract):
    known = vars(importlib.import_module(f"keras.src.{folder}"))["ALL_OBJECTS_DICT"]
    names = set(keras_names(folder))
    assert names - known.keys() == set()
    for name in known.keys() - abstract:
        try:
            getattr(keras, folder).get(name)
        except TypeError:  # it needs arguments
            assert name not in names
        else:
            assert name in names
