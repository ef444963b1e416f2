"""The runs of a working directory: filtered, sorted by a metric, compared, and listed by `fdl runs`."""

import json
import shutil

import pytest

import fdl_zoo as fdl
from fdl_zoo.cli import run as command
from fdl_zoo.errors import UnknownName
from fdl_zoo.training.progress import Silent
from fdl_zoo.training.runs import differences

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Runs in the order of their start: two on digits with different optimizers, one on iris in an experiment."""
    root = tmp_path_factory.mktemp("three") / "mlruns"
    quiet = {"epochs": 1, "root": root, "progress": Silent(), "settings": ["tracking.enabled=false"]}
    return root, [
        fdl.train("logistic_regression", data="digits", optimizer="sgd", **quiet),
        fdl.train("logistic_regression", data="digits", optimizer="adam", **quiet),
        fdl.train("mlp", data="iris", experiment="flowers", **quiet),
    ]


def names(found):
    return [run.name for run in found]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [2, 1, 0]),
        ({"limit": 2}, [2, 1]),
        ({"model": "mlp"}, [2]),
        ({"data": "digits"}, [1, 0]),
        ({"data": "digits", "optimizer": "sgd"}, [0]),
        ({"data": "Digits", "optimizer": "gradient-descent"}, [0]),
        ({"model": "Logistic-Regression"}, [1, 0]),
        ({"data": "tfds/mnist"}, []),
        ({"model": "of_no_plugin"}, []),
        ({"experiment": "flowers"}, [2]),
        ({"status": "finished", "experiment": "fdl_zoo"}, [1, 0]),
        ({"status": "failed"}, []),
    ],
)
def test_runs_that_pass_the_filters_latest_first(three, filters, expected):
    root, made = three
    assert names(fdl.runs(root=root, **filters)) == [made[index].name for index in expected]


@pytest.mark.parametrize(("metric", "sign"), [("test_accuracy", -1), ("test_loss", 1)])
def test_the_best_come_first(three, metric, sign):
    root, made = three
    expected = sorted(made, key=lambda run: sign * run.metrics[metric])
    assert names(fdl.runs(root=root, sort=metric)) == names(expected)


def test_a_metric_that_no_run_has_is_answered_with_those_there_are(three):
    with pytest.raises(UnknownName, match=r"cannot be sorted by 'f2': their metrics are .*test_accuracy"):
        fdl.runs(root=three[0], sort="f2")


def test_compared_are_the_values_in_which_they_differ(three):
    _, (first, second, _) = three
    differing = differences([first, second])
    assert differing["optimizer.name"] == ["sgd", "adam"]
    assert "data.name" not in differing
    assert "seed" not in differing


def test_the_command_lists_compares_and_prints_stable_keys(three, monkeypatch, capsys):
    root, made = three
    monkeypatch.chdir(root.parent)
    assert command(["runs", "--data", "digits", "--compare"]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split()[:2] == ["run", "optimizer.name"]
    assert [line.split()[:2] for line in lines] == [[made[1].name, "adam"], [made[0].name, "sgd"]]
    assert command(["runs", "--sort", "test_accuracy", "--limit", "1", "--json"]) == 0
    (best,) = json.loads(capsys.readouterr().out)
    assert best["metrics"]["test_accuracy"] == max(run.metrics["test_accuracy"] for run in made)
    assert {"name", "run_id", "status", "reason", "resume", "started", "ended", "metrics"} <= set(best)
    assert command(["runs", "--model", "rnn"]) == 0
    assert capsys.readouterr().out == "No run passes these filters.\n"
    assert command(["runs", "--sort", "f2"]) == 2


@pytest.mark.parametrize(("text", "reason"), [(None, "cannot be read"), ("model: mlp\n", "is no run's specification")])
def test_a_run_whose_specification_is_lost_hides_no_other(text, reason, three, tmp_path, monkeypatch, capsys):
    root, made = three
    shutil.copytree(root, tmp_path / "mlruns")
    monkeypatch.chdir(tmp_path)
    lost = made[0].name
    spec = tmp_path / "mlruns/runs" / lost / "spec.yaml"
    if text is None:
        spec.unlink()
    else:
        spec.write_text(text)
    assert command(["runs", "--json"]) == 0
    listed = {run["name"]: run for run in json.loads(capsys.readouterr().out)}
    assert listed.keys() == {run.name for run in made}
    assert f"spec.yaml' {reason}" in listed[lost]["reason"]
    assert listed[made[1].name]["optimizer"] == "adam"
    assert names(fdl.runs(data="digits")) == [made[1].name]
    assert command(["runs"]) == command(["runs", "--compare"]) == 0
    assert "?          The file" in capsys.readouterr().out
