"""Public names resolve, files say what they are, and the table of Keras's base options is true."""

import ast
import inspect
import re
from pathlib import Path

import keras
import pytest

import fdl_zoo
from fdl_zoo import catalogue
from fdl_zoo.option import REQUIRED
from fdl_zoo.signature import BASE_OPTIONS

ROOT = Path(fdl_zoo.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("name", fdl_zoo.__all__)
def test_every_public_name_resolves(name):
    assert getattr(fdl_zoo, name) is not None
    assert name in dir(fdl_zoo)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        fdl_zoo.no_such_name  # noqa: B018 -- looking it up is the test


def test_a_star_import_gives_the_public_names():
    names = {}
    exec("from fdl_zoo import *", names)
    assert set(fdl_zoo.__all__) <= names.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_it_is(path):
    doc = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert doc, "a module docstring is missing"
    first = doc.partition("\n")[0]
    assert first.endswith((".", ".)")), first
    assert len(first) <= 120, first


@pytest.mark.parametrize("registry", catalogue.REGISTRIES.values(), ids=catalogue.REGISTRIES)
def test_an_entry_of_the_book_names_its_chapter_in_its_first_line(registry):
    entries = [entry for entry in registry.entries() if entry.card.chapter is not None]
    assert entries
    for entry in entries:
        assert re.search(r"\(chapters? \d", entry.source.summary), f"{entry.name}: {entry.source.summary}"


def keras_base_options():
    """The options that Keras's base class takes, by name; the class that names them is found, not assumed."""
    signatures = (inspect.signature(each.__init__).parameters for each in keras.optimizers.Optimizer.__mro__)
    named = next(parameters for parameters in signatures if "clipnorm" in parameters)
    skipped = ("self", "learning_rate", "name", "kwargs")
    return {each.name: each.default for each in named.values() if each.name not in skipped}


def test_the_base_options_are_those_of_the_installed_keras():
    assert {name: option.default for name, option in BASE_OPTIONS.items()} == keras_base_options()
    assert REQUIRED not in keras_base_options().values()
