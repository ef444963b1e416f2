"""Runs that start from trained weights: of a card, a run or a file; with layers that stay frozen."""

from pathlib import Path

import numpy as np
import pytest
import yaml

import fdl_zoo as fdl
from fdl_zoo import catalogue, weights
from fdl_zoo.errors import InvalidData, InvalidOption, InvalidSpec
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.training.initial import Initial, name_last
from fdl_zoo.training.progress import Silent

pytestmark = pytest.mark.usefixtures("undrawn")

QUIET = {"progress": Silent(), "settings": ["tracking.enabled=false"]}


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def first(root):
    return fdl.train("mlp", epochs=1, root=root, **QUIET)


def test_a_run_starts_from_the_weights_of_a_card(root):
    heard = Heard()
    run = fdl.train(
        "mlp", init_from="digits", freeze=["hidden_*"], epochs=1, learning_rate=1e-6, root=root,
        progress=heard, settings=["tracking.enabled=false"],
    )  # fmt: skip
    assert run.history["accuracy"][0] > 0.99  # within the first epoch
    shipped = fdl.create_model("mlp", weights="digits").get_weights()
    for number, (mine, theirs) in enumerate(zip(run.model.get_weights(), shipped, strict=True)):
        assert np.array_equal(mine, theirs) == (number < 4)  # kernel and bias of both hidden layers
    assert run.spec.init_from == "digits"
    assert run.spec.freeze == ("hidden_*",)
    facts = run.folder.facts
    stated = catalogue.models.find("mlp").card.weights["digits"]
    assert facts["init_from"]["sha256"] == stated.sha256
    assert facts["init_from"]["kind"] == "card"
    assert facts["frozen"] == ["hidden_1", "hidden_2"]
    assert "weights start from digits (card)" in heard.lines
    assert "frozen: hidden_1, hidden_2" in heard.lines


def test_a_run_is_named_in_full_and_its_file_is_recorded(first, root, tmp_path):
    run = fdl.train("mlp", init_from=first.name[:-2], epochs=1, learning_rate=1e-7, root=root, **QUIET)
    assert yaml.safe_load((run.path / "spec.yaml").read_text())["init_from"] == first.name
    facts = run.folder.facts["init_from"]
    assert facts["sha256"] == weights.digest(first.model_path)
    assert facts["file"] == str(first.model_path)
    np.testing.assert_allclose(run.model.get_weights()[0], first.model.get_weights()[0], atol=1e-4)
    assert int(run.model.optimizer.iterations) == 45  # a fresh optimizer
    again = fdl.train(config=run.path / "spec.yaml", root=root, **QUIET)
    for mine, theirs in zip(run.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    copy = tmp_path / "copy.weights.h5"
    fdl.load_model(first.model_path).save_weights(copy)
    third = fdl.train("mlp", init_from=str(copy), epochs=1, learning_rate=1e-7, root=root, **QUIET)
    for mine, theirs in zip(run.model.get_weights(), third.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_another_number_of_classes_gets_a_new_head_and_says_so(root, tmp_path):
    data = fdl.load_dataset("digits")
    np.savez(tmp_path / "parity.npz", x=data.train.x[:200], y=data.train.y[:200] % 2 + data.train.y[:200] % 3)
    heard = Heard()
    run = fdl.train(
        "logistic_regression", data=str(tmp_path / "parity.npz"), init_from="digits", epochs=1, root=root,
        progress=heard, settings=["tracking.enabled=false"],
    )  # fmt: skip
    assert run.folder.facts["init_from"]["replaced"] == "output"
    assert "the layer output is new: it has 10 outputs in the weights digits and 4 here" in heard.lines


def test_other_splits_than_the_weights_were_trained_on_are_mentioned():
    initial = Initial("digits", "card", Path("digits.weights.h5"))
    for seed, says in ((0, ""), (1, "with 1 they have seen most of the test split")):
        spec = resolve(make_layers(model="mlp", settings=[f"data.seed={seed}"])).spec
        assert bool(initial.seen_before(spec)) == bool(says)
        assert initial.seen_before(spec).endswith(says)
    assert (
        initial.seen_before(resolve(make_layers(model="mlp", data="digits_rows", settings=["data.seed=1"])).spec) == ""
    )


@pytest.mark.slow
def test_a_model_on_two_devices_starts_from_them_too(two_replicas, root):
    run = fdl.train(
        "mlp", init_from="digits", epochs=1, batch_size=100, devices="cpu:0,cpu:1", learning_rate=1e-6, root=root,
        **QUIET,
    )  # fmt: skip
    assert run.history["accuracy"][0] > 0.99


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"init_from": "mnist"}, InvalidSpec, r"neither weights of mlp \(its card has those for digits\) nor a file"),
        ({"init_from": "gone.weights.h5"}, InvalidData, "there is no such file"),
        ({"init_from": "digits", "data": "iris"}, InvalidData, r"hidden_1 has a weight of shape \[64, 256\] there"),
        ({"freeze": ["conv_*"]}, InvalidOption, "layers of mlp with weights are hidden_1, hidden_2, output"),
        ({"freeze": ["*"]}, InvalidOption, "no weight would be left to train"),
    ],
)
def test_what_cannot_be_started_from_leaves_nothing(given, error, says, tmp_path):
    with pytest.raises(error, match=says) as refused:
        fdl.train("mlp", **given, root=tmp_path / "mlruns", **QUIET)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_run_without_a_checkpoint_is_refused(first, root):
    gone = first.folder.checkpoints / "best.keras"
    kept = gone.read_bytes()
    gone.unlink()
    try:
        with pytest.raises(InvalidData, match="has no checkpoint best"):
            fdl.train("mlp", init_from=f"{first.name}@best", root=root, **QUIET)
    finally:
        gone.write_bytes(kept)


class Stops(Silent):
    """Interrupts a run at its first line about weights: before it has a checkpoint."""

    def say(self, text):
        if text.startswith("frozen"):
            raise KeyboardInterrupt


@pytest.mark.parametrize("altered", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_run_that_is_resumed_at_its_beginning_starts_from_the_same_weights(first, root, tmp_path, altered):
    file = tmp_path / "first.weights.h5"
    fdl.load_model(first.model_path).save_weights(file)
    given = {"init_from": str(file), "freeze": "hidden_1", "epochs": 1, "root": root}
    whole = fdl.train("mlp", **given, **QUIET)
    with pytest.raises(KeyboardInterrupt):
        fdl.train("mlp", **given, **QUIET | {"progress": Stops()})
    cut = fdl.find_run("last", root)
    assert cut.status == "KILLED"
    if altered:
        fdl.load_model(whole.model_path).save_weights(file)
        with pytest.raises(InvalidData, match=r"first\.weights\.h5 holds other weights than it began with"):
            fdl.resume(cut.name, root=root, progress=Silent())
        again = fdl.rerun(whole.name, root=root, progress=Silent())
        assert not again.difference.equal
        assert any(cause.startswith("init_from.sha256: ") for cause in again.causes)
        return
    resumed = fdl.resume(cut.name, root=root, progress=Silent())
    for mine, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_last_run_is_that_before_a_sweep(tmp_path):
    settings = ["tracking.enabled=false"]
    run = fdl.train("logistic_regression", epochs=1, root=tmp_path, progress=Silent(), settings=settings)
    layers = make_layers("mlp", settings=["init_from=last@best", "epochs=3"])
    found = [layer.values for layer in name_last(layers, tmp_path)]
    assert {"init_from": f"{run.name}@best"} in found
    assert {"epochs": 3} in found
