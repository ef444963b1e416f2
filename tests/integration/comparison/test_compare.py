"""A comparison in processes of its own: parent and children in folder and store, resumed, with children that fail."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from mlflow import MlflowClient

import fdl_zoo as fdl
from fdl_zoo.cli import run as fdl_command
from fdl_zoo.errors import InvalidOption, TrainingFailed
from fdl_zoo.tracking.uri import embedded_uri

pytestmark = pytest.mark.slow
SMALL = {"epochs": 2, "learning_rates": "1e-2..1e-1:log1", "jobs": 2}


def runs_of(root):
    return {run.name: run for run in fdl.runs(root=root)}


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A comparison of two optimizers, once for the tests that only look at it."""
    root = tmp_path_factory.mktemp("compared") / "mlruns"
    said = []
    vary = ["optimizer=sgd,{name: adam, clipnorm: 1.0}", "seed=0..1"]
    found = fdl.compare("logistic_regression", vary=vary, root=root, say=said.append, **SMALL)
    return found, root, said, vary


def test_rows_are_what_the_runs_of_the_folder_say(compared):
    found, root, _, _ = compared
    assert {row.setting for row in found.rows} == {"sgd", "adam (clipnorm 1.0)"}
    runs = runs_of(root)
    assert len(runs) == 1 + 2 * 2 + 2  # the parent, two rates of each, and each again with the second seed
    for row in found.rows:
        children = [runs[child.name] for child in found.children[row.setting]]
        assert [run.spec.seed for run in children] == [0, 1]
        assert {run.spec.optimizer.options["learning_rate"] for run in children} == {row.learning_rate}
        finals = [run.history["val_loss"][-1] for run in children]
        assert row.value == pytest.approx(np.mean(finals))
        assert row.value_spread == pytest.approx(np.std(finals, ddof=1))
        tested = [run.metrics["test_accuracy"] for run in children]
        assert row.metrics["test_accuracy"] == (pytest.approx(np.mean(tested)), pytest.approx(np.std(tested, ddof=1)))
        tried = {child.learning_rate: child.final for child in found.tried[row.setting]}
        assert row.learning_rate == min(tried, key=tried.get)
    losses = [row.metrics["test_loss"][0] for row in found.rows]
    assert losses == sorted(losses)


def test_the_parent_has_figures_with_their_numbers(compared):
    found, _, _, _ = compared
    names = {path.relative_to(found.folder / "artifacts").as_posix() for path in found.figures}
    for name in ("by_epoch", "by_time", "profile", "learning_rates"):
        assert {f"compare/{name}.png", f"compare/{name}.csv"} <= names
    table = (found.folder / "artifacts/compare/learning_rates.csv").read_text().splitlines()
    assert len(table) == 1 + 4


def test_children_stand_below_their_parent_in_the_store(compared):
    found, root, _, _ = compared
    client = MlflowClient(embedded_uri(root))
    stored = client.search_runs([each.experiment_id for each in client.search_experiments()])
    by_name = {run.info.run_name: run for run in stored}
    assert set(by_name) == set(runs_of(root))
    parent = by_name.pop(found.name)
    assert {run.data.tags["mlflow.parentRunId"] for run in by_name.values()} == {parent.info.run_id}
    assert {run.info.status for run in stored} == {"FINISHED"}
    assert {each.path for each in client.list_artifacts(parent.info.run_id, "compare")} >= {"compare/by_epoch.png"}
    assert parent.data.metrics["test_loss"] == pytest.approx(found.rows[0].metrics["test_loss"][0])
    child = by_name[found.children["sgd"][0].name]
    assert child.data.params["optimizer.name"] == "sgd"
    assert not list(root.glob("runs/*/unsent"))


def test_a_repeated_command_trains_nothing_and_finds_the_same(compared):
    found, root, _, vary = compared
    before = set(runs_of(root))
    said = []
    again = fdl.compare("logistic_regression", vary=vary, root=root, say=said.append, **SMALL)
    assert set(runs_of(root)) == before
    assert again.name == found.name
    assert [row.as_dict() for row in again.rows] == [row.as_dict() for row in found.rows]
    assert all(child.reused for children in again.children.values() for child in children)
    fdl.compare("logistic_regression", vary=[vary[0], "seed=0..2"], root=root, say=said.append, **SMALL)
    assert len(set(runs_of(root)) - before) == 1 + 2  # its parent, and the third seed of each


def test_the_command_repeats_the_best_run(compared, monkeypatch, capsys):
    found, root, _, _ = compared
    monkeypatch.chdir(root.parent)
    words = found.command.split(" ")
    assert fdl_command([*words[1:], "--no-tracking", "--quiet", "--json"]) == 0
    repeated = json.loads(capsys.readouterr().out)
    best = min(found.children[found.rows[0].setting], key=lambda child: child.final)
    assert repeated["history"]["val_loss"][-1] == pytest.approx(best.final, rel=1e-5)


def test_a_sweep_is_no_single_run(compared):
    found, root, _, _ = compared
    with pytest.raises(InvalidOption, match="is a sweep and no single run"):
        fdl.rerun(found.name, root=root)


@pytest.mark.slow
def test_a_child_that_fails_does_not_stop_the_others(tmp_path):
    said = []
    found = fdl.compare(
        "logistic_regression",
        vary=["batch_size=32,4000", "seed=0..1"],
        settings=["drop_remainder=true"],  # of 4000 examples there is no whole batch
        epochs=1,
        jobs=1,
        root=tmp_path,
        say=said.append,
        tracking={"enabled": False},
    )
    assert [row.setting for row in found.rows] == ["batch_size 32", "batch_size 4000"]
    assert [(row.seeds, row.failed) for row in found.rows] == [(2, 0), (0, 2)]
    assert all("drop_remainder" in child.reason for child in found.failed)
    with pytest.raises(TrainingFailed, match=r"no run of .* finished"):
        fdl.compare(
            "logistic_regression", vary=["batch_size=4000"], settings=["drop_remainder=true"], epochs=1, root=tmp_path,
            tracking={"enabled": False}, say=said.append,
        )  # fmt: skip


def start(root, *arguments):
    """`fdl compare` in a process of its own, once its first child has finished."""
    code = "from fdl_zoo.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "compare", "logistic_regression", *arguments],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("[1/"):
            return process, lines
    raise AssertionError("".join(lines))


def workers_of(process):
    import psutil

    return [each for each in psutil.Process(process.pid).children() if "worker" in " ".join(each.cmdline())]


@pytest.mark.long
def test_it_is_interrupted_and_goes_on_where_it_was(tmp_path):
    arguments = ("--vary", "seed=0..3", "--epochs", "3", "--jobs", "1", "--no-tracking")
    process, _ = start(tmp_path, *arguments)
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 143, rest
    runs = runs_of(tmp_path / "mlruns")
    (parent,) = [run for name, run in runs.items() if name.startswith("compare")]
    assert parent.status == "KILLED"
    done = {name for name, run in runs.items() if run.status == "FINISHED"}
    assert done
    assert {run.status for run in runs.values()} <= {"FINISHED", "KILLED"}
    found = fdl.compare(
        "logistic_regression", vary=["seed=0..3"], epochs=3, jobs=1, root=tmp_path / "mlruns", say=lambda text: None,
        tracking={"enabled": False},
    )  # fmt: skip
    assert found.name == parent.name
    assert {child.name for child in found.children["adam"] if child.reused} == done
    assert found.rows[0].seeds == 4
    assert fdl.find_run(parent.name, tmp_path / "mlruns").status == "FINISHED"


def test_a_process_that_dies_takes_one_child_with_it(tmp_path):
    process, _ = start(tmp_path, "--vary", "seed=0..3", "--epochs", "40", "--jobs", "1", "--no-tracking")
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("mlruns/runs/logistic*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers_of(process)[0].kill()
    rest = process.communicate(timeout=240)[0]
    assert process.returncode == 0, rest
    assert "its process ended (SIGKILL)" in rest
    assert "3/4" in rest
