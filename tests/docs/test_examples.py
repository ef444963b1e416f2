"""Every example runs, every section of the notes has one, and the book's table says what the examples say."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTES = Path(__file__).parents[3] / "shared" / "book-notes.md"
SCRIPTS = [path for path in sorted(EXAMPLES.glob("*.py")) if not path.stem.startswith("_") and path.stem != "book"]
FAST = {
    "adaptive_rates", "backpropagation", "batch_sizes", "error_surface", "gradient_descent", "logistic_regression",
    "own_dataset", "parameter_counts", "regularisation", "rnn_unrolled", "saddle_points", "stacked_convolutions",
}  # fmt: skip


@pytest.fixture
def book(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    import book

    return book


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            path,
            id=path.stem,
            marks=[] if path.stem in FAST else pytest.mark.slow,
        )
        for path in SCRIPTS
    ],
)
def test_an_example_runs_and_ends_with_its_verdict(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "my-net")  # tests look at none; one example begins this one
    monkeypatch.setattr(sys, "argv", [str(script), "--quick", "-o", "here"])
    runpy.run_path(str(script), run_name="__main__")
    *_, measured, files, verdict = capsys.readouterr().out.splitlines()
    result = json.loads((tmp_path / "here" / "result.json").read_text())
    assert measured == f"measured  {result['measured']}"
    assert files == "files     here"
    assert verdict == result["verdict"]
    assert verdict in ("holds", "does not hold here")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]  # nothing is written anywhere else


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_is_short_and_opens_with_chapter_claim_and_expectation(script, book):
    assert len(script.read_text().splitlines()) <= 80
    example = book.examples()[script.stem]
    assert list(example) == ["CHAPTER", "CLAIM", "EXPECTED"]
    found = book.chapters(example)
    assert sorted("; ".join(found).split("; ")) == sorted(example["CHAPTER"].split("; "))  # no heading is misspelt


def test_every_section_of_the_notes_has_an_example(book):
    covered = {section for example in book.examples().values() for section in book.chapters(example)}
    assert covered == set(book.sections())


def test_the_list_of_sections_is_that_of_the_notes():
    if not NOTES.exists():
        pytest.skip("the notes lie beside the repository only where it is developed")
    headings = [line for line in NOTES.read_text().splitlines() if line.startswith("#")]
    assert (EXAMPLES / "sections.txt").read_text().splitlines() == headings


def test_every_name_of_the_notes_tensorflow_is_mapped_to_what_replaces_it():
    if not NOTES.exists():
        pytest.skip("the notes lie beside the repository only where it is developed")
    names = set(re.findall(r"\btf\.[A-Za-z_.0-9]*[A-Za-z0-9]", NOTES.read_text()))
    page = (EXAMPLES / "README.md").read_text()
    assert len(names) > 30
    assert {name for name in names if not re.search(rf"{re.escape(name)}\b", page)} == set()


def test_the_table_is_what_examples_and_results_say(book):
    readme = (EXAMPLES / "README.md").read_text()
    results = json.loads((EXAMPLES / "results.json").read_text())
    assert readme == book.written(readme, results), "python examples/book.py --table writes it anew"
    assert not any(result["quick"] for result in results.values())
    assert set(results) == set(book.examples())


def test_options_that_the_page_names_exist():
    from fdl_zoo import catalogue

    options = {each["name"] for name in ("mlp", "rnn") for each in catalogue.describe("models", name)["options"]}
    callbacks = set(catalogue.list_callbacks())
    page = (EXAMPLES / "README.md").read_text()
    assert set(re.findall(r"--set model\.(\w+)", page)) <= options
    assert {name for name in re.findall(r"--callback ([\w/]+)", page) if "/" not in name} <= callbacks
