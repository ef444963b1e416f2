"""No entry escapes the kit, every entry keeps some law that ran, and what is excused is written down."""

import importlib
from pathlib import Path

import pytest

import fdl_zoo
from fdl_zoo import catalogue
from fdl_zoo.testing import KITS

ROOT = Path(fdl_zoo.__file__).parent


@pytest.fixture(scope="module")
def collected(request):
    """The checks of `test_entries.py` as pytest collected them: (kind, entry, check) for each."""
    marks = {
        kind: next(mark for mark in getattr(entries(), f"test_{kind}").pytestmark if mark.name == "parametrize")
        for kind in KITS
    }
    return {
        (kind, *(parameter.values[0], parameter.values[1].name))
        for kind, mark in marks.items()
        for parameter in mark.args[1]
    }


def entries():
    return importlib.import_module("tests.conformance.test_entries")


@pytest.mark.parametrize("kind", KITS)
def test_every_file_and_variant_is_checked_by_every_law(kind, collected):
    files = {path.stem for path in (ROOT / kind).glob("[!_]*.py")}
    variants = {variant.name for entry in catalogue.registry(kind).entries() for variant in entry.variants()}
    expected = {(kind, name, check.name) for name in files | variants for check in KITS[kind]}
    assert expected == {each for each in collected if each[0] == kind}


@pytest.mark.parametrize("kind", KITS)
def test_laws_run_on_every_entry(kind):
    for name in catalogue.registry(kind).names():
        ran = [check.name for check in KITS[kind] if not check.left_out(name)]
        assert len(ran) >= 3, f"only {ran} concern {name}"


@pytest.mark.parametrize("kind", KITS)
def test_every_law_concerns_some_entry(kind):
    for check in KITS[kind]:
        assert any(not check.left_out(name) for name in catalogue.registry(kind).names()), check.name


def test_nothing_is_excused_without_need():
    """Each excuse is a promise to come back; the list is short and its entries are strict expected failures."""
    excused = {(kind, *key) for kind, excuses in entries().EXCUSES.items() for key in excuses}
    strict = {
        (kind, parameter.values[0], parameter.values[1].name)
        for kind in KITS
        for mark in getattr(entries(), f"test_{kind}").pytestmark
        if mark.name == "parametrize"
        for parameter in mark.args[1]
        for each in parameter.marks
        if each.name == "xfail" and each.kwargs["strict"]
    }
    assert excused == strict
