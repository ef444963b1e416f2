"""A hundred plugins of ten entries each: listed whole, none imported, and not much later than without them."""

import json
import os
import statistics

import pytest

from tests.benchmarks.startup import FDL, compare, make_plugins
from tests.integration.plugins.written import run_fdl


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Their modules end the process when they are imported."""
    folder = make_plugins(tmp_path_factory.mktemp("many") / "site", distributions=100, entries=10)
    for module in folder.rglob("entry_*.py"):
        module.write_text(module.read_text() + '\nraise SystemExit("a listing has imported this")\n')
    return folder


@pytest.mark.parametrize(
    "command", ["list models --json", "show made_5_7 --json", "train made_5_7 --data digits --dry-run"]
)
def test_a_thousand_entries_are_known_and_none_is_imported(command, many, tmp_path):
    path = f"{many}:{os.environ.get('PYTHONPATH', '')}"
    done = run_fdl(tmp_path, *command.split(), check=0, PYTHONPATH=path)
    if command.startswith("list"):
        listed = [each for each in json.loads(done.stdout) if each["origin"].startswith("made_up")]
        assert len(listed) == 1000
        assert {each["num_params"] for each in listed} == {7850}
    else:
        assert "made_up_5/made_5_7" in done.stdout


def test_plugins_are_listed_with_the_time_of_their_metadata(many, tmp_path):
    done = run_fdl(tmp_path, "plugins", "--json", check=0, PYTHONPATH=f"{many}:{os.environ.get('PYTHONPATH', '')}")
    listed = [each for each in json.loads(done.stdout) if each["distribution"].startswith("made_up")]
    assert (len(listed), {len(each["entries"]) for each in listed}) == (100, {10})
    assert 0 < statistics.median(each["seconds"] for each in listed) < 0.1


@pytest.mark.slow
def test_a_listing_takes_at_most_four_times_as_long(many, tmp_path):
    with_plugins, without, ratio = compare([*FDL, "list"], [*FDL, "list"], 7, tmp_path, many)
    assert ratio <= 4, (with_plugins, without)
