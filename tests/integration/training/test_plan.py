"""`--plan`: what would be chosen for a run and why, without training, recording, or waiting for anybody."""

import json
import time

import pytest

from fdl_zoo.errors import InvalidSpec
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.training.plan import plan


def planned(*settings, **values):
    return plan(resolve(make_layers("mlp", None, None, None, None, None, settings, values)).spec)


def test_a_plan_says_what_is_chosen_and_why_and_leaves_nothing(folder):
    made = planned("model.units=[8]", batch_size=100, epochs=2)
    steps = -(-1437 // 100)  # 80 % of the digits
    assert (made.devices, made.steps_per_epoch, made.num_params) == (("CPU:0",), steps, (64 * 8 + 8) + (8 * 10 + 10))
    assert made.chosen["resident"]
    assert not made.chosen["jit"]
    assert f"jit: false ({2 * steps} steps are too few to pay for compiling them)" in str(made)
    assert json.loads(json.dumps(made.as_dict()))["devices"] == ["CPU:0"]
    assert not list(folder.iterdir())


def test_what_is_given_is_planned_as_given(folder):
    made = planned("block=3", jit=True)
    assert (made.chosen["block"], made.chosen["jit"]) == (3, True)
    assert made.reasons["block"] == made.reasons["jit"] == "as given"


@pytest.mark.parametrize("by", ["TF_CONFIG", "workers"])
def test_several_workers_are_planned_for_by_one_alone(by, folder, monkeypatch):
    cluster = {"cluster": {"worker": ["10.255.255.1:1", "10.255.255.2:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if by == "TF_CONFIG":
        monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    started = time.monotonic()
    made = planned(strategy="multiworker", workers=2 if by == "workers" else None, epochs=100)
    assert time.monotonic() - started < 30
    assert made.devices == ("WORKER:0", "WORKER:1")
    assert made.reasons["jit"] == "XLA compiles the work of one device, and there are 2 replicas"


def test_a_plan_for_workers_that_nobody_names_says_how_to_name_them(folder, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InvalidSpec, match="--workers 2"):
        planned(strategy="multiworker")
