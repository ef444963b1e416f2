"""A search by Optuna: what it finds, prunes and repeats, and what it says where Optuna is not installed."""

import importlib.util
import json
import time
from types import SimpleNamespace

import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.cli import run as fdl_command
from fdl_zoo.comparison.child import Child
from fdl_zoo.comparison.parent import Sweep
from fdl_zoo.comparison.tune import _Study, tune
from fdl_zoo.errors import InvalidOption, InvalidSpec, ZooError


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_tried_follows_from_the_seed(jobs, tmp_path, monkeypatch):
    tried = []

    def train(self, resolved, setting, *, judge):
        rate = resolved.spec.optimizer.options["learning_rate"]
        time.sleep(0.1 - rate if tried else rate)  # the second time other trials end first
        values = tuple(1 / rate / epoch for epoch in (1, 2, 3))
        for epoch, value in enumerate(values, 1):
            if not judge(epoch, {"val_loss": value}):
                break
        return Child(setting, rate, 0, setting, "FINISHED", values=values[:epoch])

    def result(self, sweep, trials):
        tried.append(trials)
        return SimpleNamespace(best=trials[0])

    monkeypatch.setattr(Sweep, "train", train)
    monkeypatch.setattr(_Study, "_result", result)
    for _ in range(2):
        options = {"trials": 14, "jobs": jobs, "epochs": 3, "root": tmp_path, "say": lambda text: None}
        search = ["optimizer.learning_rate=1e-3..1e-1:log"]
        tune("logistic_regression", search=search, tracking={"enabled": False}, **options)
    assert tried[0] == tried[1]
    assert any(trial.pruned for trial in tried[0])
    assert len({trial.values["optimizer.learning_rate"] for trial in tried[0]}) == 14


@pytest.mark.slow
def test_a_search_finds_a_good_rate_prunes_bad_ones_and_repeats_itself(tmp_path):
    arguments = {
        "search": ["optimizer.learning_rate=1e-4..1:log", "batch_size=16,64"],
        "trials": 9,
        "optimizer": "momentum",
        "epochs": 4,
        "jobs": 1,
        "root": tmp_path,
        "say": lambda text: None,
        "tracking": {"enabled": False},
    }
    found = fdl.tune("logistic_regression", **arguments)
    assert len(found.trials) == 9
    for trial in found.trials:
        run = fdl.find_run(trial.child.name, tmp_path)
        assert run.spec.optimizer.options["learning_rate"] == trial.values["optimizer.learning_rate"]
        assert run.spec.batch_size == trial.values["batch_size"]
        assert len(run.history["loss"]) == (trial.pruned or 4)
    whole = [trial for trial in found.trials if trial.pruned is None]
    pruned = [trial for trial in found.trials if trial.pruned is not None]
    assert pruned
    assert found.best.child.final == min(trial.child.final for trial in whole)
    assert found.best.child.final < np.median([trial.child.final for trial in found.trials])
    assert f"--lr {found.best.values['optimizer.learning_rate']}" in found.command
    table = found.figures[1].read_text().splitlines()
    assert table[0] == "trial,optimizer.learning_rate,batch_size,run,value,pruned_after"
    assert len(table) == 10
    again = fdl.tune("logistic_regression", **arguments)
    assert again.name == found.name
    assert [trial.child.name for trial in again.trials] == [trial.child.name for trial in found.trials]
    assert [trial.pruned for trial in again.trials] == [trial.pruned for trial in found.trials]
    del arguments["search"], arguments["trials"]
    compared = fdl.compare(
        "logistic_regression",
        vary=[f"{path}={value}" for path, value in pruned[0].values.items()],
        **arguments,
    )
    ((child,),) = compared.children.values()
    assert (len(child.epochs), child.reused) == (4, False)  # what a search gave up is no whole run


@pytest.mark.parametrize(
    ("search", "error", "words"),
    [
        (["optimizer.learning_rate=1..1e-4:log"], InvalidSpec, "the lower end comes first"),
        (["optimizer.learning_rat=1e-4..1:log"], InvalidOption, "did you mean learning_rate"),
        (["model.l2=-1..1"], InvalidOption, "l2 cannot be -1"),
        (["epochs=1..3", "epochs=2,3"], InvalidSpec, "searched twice"),
        (["strategy=auto,multiworker"], InvalidSpec, "tune cannot use strategy multiworker"),
        ([], InvalidSpec, "needs a range"),
        (["optimizer=adam,admm"], ZooError, "admm"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_trial(search, error, words, tmp_path):
    with pytest.raises(error, match=words):
        tune("logistic_regression", search=search, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_optuna_the_line_that_installs_it_is_said(monkeypatch, capsys, folder):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "optuna" else found(name))
    assert fdl_command(["tune", "mlp", "--search", "epochs=1..3"]) == 2
    assert 'pip install "fdl-zoo[tune]"' in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_commands_refuse_in_one_line(capsys, folder):
    for words, message in (
        (["compare", "mlp", "--vary", "seed=4..0"], "seed cannot vary over '4..0'"),
        (["compare", "mpl", "--vary", "seed=0..4"], "did you mean mlp"),
        (["compare", "mlp"], "--vary"),
        (["compare", "mlp", "--vary", "seed=0..1", "--target", "nan"], "target cannot be nan"),
        (["find-lr", "mlp", "--optimizer", "bfgs"], "bfgs has no learning rate"),
        (["tune", "mlp", "--search", "epochs"], "write PATH=VALUES"),
    ):
        assert fdl_command(words) == 2
        answer = capsys.readouterr()
        assert answer.err.startswith("fdl: ")
        assert answer.err.count("\n") == 1
        assert message in answer.err
        assert answer.out == ""
    assert list(folder.iterdir()) == []


def test_find_lr_prints_what_to_paste_and_json(capsys, folder):
    command = ["find-lr", "quadratic", "--optimizer", "sgd", "--no-tracking", "--high", "1"]
    assert fdl_command(command) == 0
    out = capsys.readouterr().out
    assert "paste   --optimizer sgd --lr " in out
    assert fdl_command([*command, "--json", "--quiet"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert f"--lr {facts['suggestion']:g}" in out
    assert len(facts["learning_rate"]) == len(facts["loss"]) == len(facts["smoothed_loss"])
