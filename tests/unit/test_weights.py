"""Trained weights: by a dataset's name or from a file, whole or refused in one sentence; plugins have them likewise."""

import importlib.metadata
import logging
import shutil
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo import catalogue, weights
from fdl_zoo.card import Card, Variant, Weights
from fdl_zoo.errors import InvalidCard, InvalidData, InvalidOption
from fdl_zoo.testing import check_model
from fdl_zoo.testing.measure import metric_of
from fdl_zoo.testing.weights import compare, main, same

DIGEST = 64 * "a"


def small(outputs=3, inputs=4, units=5):
    return fdl.create_model("mlp", (inputs,), outputs, units=(units,))


@pytest.fixture
def saved(tmp_path):
    """A small model with its weights in a file."""
    model = small()
    model.save_weights(tmp_path / "small.weights.h5")
    return model, tmp_path / "small.weights.h5"


def test_packaged_weights_classify_the_digits_of_scikit_learn():
    from sklearn.datasets import load_digits

    model = fdl.create_model("convnet", weights="digits")
    digits = load_digits()
    logits = np.asarray(model(digits.images[..., None].astype("float32") / 16))
    assert np.mean(logits.argmax(axis=1) == digits.target) > 0.99


def test_the_name_of_the_dataset_is_compared_as_names_are():
    first, second = (fdl.create_model("lstm", weights=name) for name in ("digits_rows", "Digits-Rows"))
    for mine, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_every_packaged_file_is_small_and_on_a_card():
    stated = {
        entry.folder / each.file
        for entry in catalogue.models.entries(origin="fdl_zoo")
        for each in entry.card.weights.values()
    }
    assert stated == set((Path(fdl.__file__).parent / "models" / "weights").iterdir())
    assert all(path.stat().st_size <= 2 * 2**20 for path in stated)


def test_a_file_gives_its_weights_bit_for_bit(saved):
    model, path = saved
    again = fdl.create_model("mlp", (4,), 3, units=(5,), weights=str(path))
    for mine, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_keras_file_gives_its_weights_and_nothing_else_of_it_is_read(saved, tmp_path):
    model, _ = saved
    model.compile(optimizer=fdl.create_optimizer("adam"), loss="mse")
    model.save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as old, zipfile.ZipFile(tmp_path / "bare.keras", "w") as new:
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    again = fdl.create_model("mlp", (4,), 3, units=(5,), weights=str(tmp_path / "bare.keras"))
    np.testing.assert_array_equal(model.get_weights()[2], again.get_weights()[2])
    assert getattr(again, "optimizer", None) is None


def test_an_output_layer_of_another_size_stays_fresh_and_is_said(saved, caplog):
    model, path = saved
    with caplog.at_level(logging.WARNING):
        keras.utils.set_random_seed(3)
        other = fdl.create_model("mlp", (4,), 7, units=(5,), weights=str(path))
    keras.utils.set_random_seed(3)
    fresh = small(outputs=7)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(other.get_weights()[2], fresh.get_weights()[2])
    assert "output is new: it has 3 outputs" in caplog.text


def test_states_of_random_generators_belong_to_the_run(tmp_path):
    keras.utils.set_random_seed(1)
    fdl.create_model("mlp", (4,), 3, units=(5,), dropout=0.5).save_weights(tmp_path / "dropped.weights.h5")
    keras.utils.set_random_seed(2)
    model = fdl.create_model("mlp", (4,), 3, units=(5,), dropout=0.5)
    before = [np.asarray(each.value) for each in model.non_trainable_variables]
    assert before
    weights.load(model, tmp_path / "dropped.weights.h5")
    for was, each in zip(before, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(was, each)
    weights.load(small(), tmp_path / "dropped.weights.h5")  # a model without dropout takes them too


def test_float64_takes_the_stored_values(saved):
    model, path = saved
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        double = small()
        weights.load(double, path)
    finally:
        keras.config.set_dtype_policy(before)
    assert double.get_weights()[0].dtype == np.float64
    np.testing.assert_array_equal(double.get_weights()[0], model.get_weights()[0].astype(np.float64))


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: small(inputs=6), r"hidden_1 has a weight of shape \[4, 5\] there and \[6, 5\] here"),
        (lambda: small(units=8), r"hidden_1 has a weight of shape \[4, 5\] there and \[4, 8\] here"),
        (lambda: fdl.create_model("mlp", (4,), 3, units=(5, 5)), "of the layers hidden_1, output, and the model has"),
        (lambda: fdl.create_model("rnn", (4, 1), 3), "the model has output, recurrent"),
    ],
)
def test_another_shape_is_refused_with_both_shapes(saved, build, says):
    model = build()
    before = model.get_weights()
    with pytest.raises(InvalidData, match=says) as error:
        weights.load(model, saved[1])
    assert "\n" not in str(error.value)
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.9])
def test_a_file_that_was_cut_is_refused_by_its_name(saved, kept):
    _, path = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(InvalidData, match=r"small\.weights\.h5 cannot be loaded: the file is damaged"):
        weights.load(small(), path)


def test_a_flipped_bit_in_a_keras_file_is_refused(saved, tmp_path):
    model, _ = saved
    model.save(tmp_path / "flipped.keras")
    content = bytearray((tmp_path / "flipped.keras").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "flipped.keras").write_bytes(content)
    with pytest.raises(InvalidData, match=r"flipped\.keras cannot be loaded"):
        weights.load(small(), tmp_path / "flipped.keras")


def test_values_that_are_not_finite_are_refused(saved):
    _, path = saved
    with h5py.File(path, "r+") as file:
        file["layers/dense/vars/0"][2, 2] = np.nan
    with pytest.raises(InvalidData, match="hidden_1 has values that are not finite"):
        weights.load(small(), path)


@pytest.mark.parametrize("how", ["link", "raw"])
def test_a_file_that_points_to_another_file_is_not_followed(saved, tmp_path, how):
    _, path = saved
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["w"] = np.ones((4, 5), np.float32)
    with h5py.File(path, "r+") as file:
        del file["layers/dense/vars/0"]
        if how == "link":
            file["layers/dense/vars/0"] = h5py.ExternalLink(str(secret), "w")
        else:
            file["layers/dense/vars"].create_dataset("0", (4, 5), "f4", external=[(str(secret), 0, 80)])
    with pytest.raises(InvalidData):
        weights.load(small(), path)


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("mnist", InvalidOption, "no weights 'mnist' of convnet: its card has those for digits, or name a file"),
        ("none.weights.h5", InvalidData, "there is no such file"),
        ("none.h5", InvalidData, "there is no such file"),
    ],
)
def test_weights_that_are_not_there_are_refused(name, error, says):
    with pytest.raises(error, match=says):
        fdl.create_model("convnet", weights=name)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no weights")
    with pytest.raises(InvalidData, match=r"give a \.weights\.h5 or a \.keras file"):
        fdl.create_model("convnet", weights=str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    "stated",
    [
        {"file": "/etc/w.weights.h5"},
        {"file": "../w.weights.h5"},
        {"file": "w.h5"},
        {"sha256": "abc"},
        {"metric": 5},
        {"command": 3},
        {"value": "high"},
    ],
)
def test_a_card_states_weights_that_can_be_looked_for(stated):
    good = {"file": "w.weights.h5", "sha256": DIGEST, "metric": "loss", "value": 1.0, "command": "fdl train x"}
    Weights(**good)
    with pytest.raises(InvalidCard, match=str(next(iter(stated.values())))):
        Weights(**good | stated)


def test_a_variant_has_its_own_weights_only():
    mine = Weights("w.weights.h5", DIGEST, "test_accuracy", 0.9, "fdl train x")
    card = Card(variants={"plain": {}, "own": Variant(weights={"digits": mine})}, weights={"iris": mine})
    assert card.variant("plain").weights == {}
    assert card.variant("own").weights == {"digits": mine}
    for build in (Card, Variant):
        with pytest.raises(InvalidCard, match="write Weights"):
            build(weights={"digits": "w.weights.h5"})


# ---- a plugin's

MODEL = '''"""A plugin's softmax regression."""
import keras

from fdl_zoo.card import Card, Weights

CARD = Card(
    task="classification",
    weights={{"iris": Weights("trained/net.weights.h5", "{digest}", "val_accuracy", {value}, "fdl train sample/net")}},
)


def build(input_shape: tuple[int, ...] = (4,), num_outputs: int = 3):
    """A model."""
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(num_outputs, kernel_initializer="zeros")(inputs))
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch, catalogue_afresh):
    """A folder with a plugin whose weights know nothing: all zero, so that every flower is of the first kind."""
    folder = tmp_path / "sample"
    (folder / "src" / "sample_weights" / "trained").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "sample"\n[project.entry-points."fdl_zoo.models"]\nnet = "sample_weights.net:build"\n'
    )
    module = folder / "src" / "sample_weights" / "net.py"
    module.with_name("__init__.py").write_text("")
    file = module.parent / "trained" / "net.weights.h5"
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(3, kernel_initializer="zeros")(inputs)).save_weights(file)
    data = fdl.load_dataset("iris")
    value = float(np.mean(data.validation.y == 0))

    def write(value=value):
        module.write_text(MODEL.format(digest=weights.digest(file), value=value))
        catalogue_afresh.refresh()

    for name in ("sample_weights", "sample_weights.net"):  # an earlier test's lay elsewhere
        sys.modules.pop(name, None)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "sample")
    monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", str(tmp_path))
    write()
    return file, write


def test_a_plugins_weights_lie_beside_its_module(plugin):
    model = fdl.create_model("sample/net", weights="iris")
    assert not np.any(model.get_weights()[0])
    entry = catalogue.models.find("net")
    assert entry.as_dict()["weights"]["iris"]["file"] == "trained/net.weights.h5"


def law():
    from fdl_zoo.testing import KITS

    return next(check for check in KITS["models"] if check.name == "its_weights_give_what_they_state")


def test_conformance_fails_weights_that_do_not_give_their_metric(plugin):
    _, write = plugin
    law()("sample/net")
    write(value=0.95)
    with pytest.raises(AssertionError, match=r"give val_accuracy 0\.95, and it is"):
        law()("sample/net")
    with pytest.raises(AssertionError, match=r"give val_accuracy 0\.95, and it is"):
        check_model("sample/net")


def test_altered_weights_are_refused_by_user_and_conformance(plugin):
    file, _ = plugin
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InvalidData, match="damaged or altered"):
        fdl.create_model("sample/net", weights="iris")
    with pytest.raises(AssertionError, match="damaged or altered"):
        law()("sample/net")


# ---- metrics and remaking


def test_metrics_by_definition_are_keras_own():
    model, data = fdl.create_model("mlp", weights="digits"), fdl.load_dataset("digits")
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    found = model.evaluate(data.test.x, data.test.y, verbose=0, return_dict=True)
    assert metric_of(model, data, "test_loss") == pytest.approx(found["loss"], rel=1e-5)
    assert metric_of(model, data, "test_accuracy") == pytest.approx(found["accuracy"], abs=1e-6)
    for name in ("test_precision", "best_accuracy"):
        with pytest.raises(AssertionError, match=name):
            metric_of(model, data, name)


def test_two_files_are_the_same_only_if_every_bit_is(saved, tmp_path):
    _, path = saved
    other = shutil.copy(path, tmp_path / "other.weights.h5")
    assert same(path, other)
    with h5py.File(other, "r+") as file:
        values = file["layers/dense/vars/0"]
        values[0, 0] = np.nextafter(values[0, 0], np.float32(9))
    assert not same(path, other)


PINNED = dict(line.split("==") for line in (Path(fdl.__file__).parents[1] / "constraints.txt").read_text().split())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dataset"), [("logistic_regression", "digits"), ("mlp", "digits")])
def test_the_cards_command_gives_the_weights_again_bit_for_bit(name, dataset, capsys):
    for package in ("keras", "tensorflow", "numpy"):
        if importlib.metadata.version(package) != PINNED[package]:
            pytest.skip(f"the weights were made with {package} {PINNED[package]}")
    assert compare(catalogue.models.find(name), dataset, write=False), capsys.readouterr().out


@pytest.mark.long
def test_remaking_writes_only_when_told_to(plugin, capsys):
    file, _ = plugin
    module = file.parents[1] / "net.py"
    module.write_text(
        module.read_text().replace(
            "fdl train sample/net", "fdl train sample/net --data iris --epochs 2 --set jit=false"
        )
    )
    before = file.read_bytes()
    assert main(["sample/net"]) == 1
    assert "other weights" in capsys.readouterr().out
    assert file.read_bytes() == before
    assert main(["sample/net", "--write"]) == 0
    printed = capsys.readouterr().out
    assert f"sha256 {weights.digest(file)}" in printed
    assert file.read_bytes() != before
    assert main(["sample/net"]) == 0
