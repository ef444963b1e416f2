"""A finished run in use: evaluated, asked and exported, against what NumPy makes of its weights."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.special import softmax

import fdl_zoo as fdl
from fdl_zoo.artifacts import export as exporting
from fdl_zoo.artifacts.evaluate import NotDrawn
from fdl_zoo.cli import run as command
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.training.progress import Silent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of softmax regression whose probabilities can be worked out by hand."""
    root = tmp_path_factory.mktemp("use") / "mlruns"
    settings = ["tracking.enabled=false"]
    return fdl.train(
        "logistic_regression", data="digits", epochs=3, seed=0, root=root, progress=Silent(), settings=settings
    )


@pytest.fixture
def here(run, monkeypatch):
    monkeypatch.chdir(run.folder.root.parent)
    return run


@pytest.fixture(scope="module")
def digits():
    return fdl.load_dataset("digits")


def by_hand(run, raw):
    """Probabilities in float64 from the weights alone."""
    kernel, bias = (np.asarray(each, np.float64) for each in run.model.get_weights())
    return softmax(raw.reshape(len(raw), -1).astype(np.float64) / 16 @ kernel + bias, axis=1)


def test_a_run_keeps_its_figures_and_its_table(run):
    kept = {path.name for path in (run.path / "artifacts" / "figures").iterdir()}
    assert kept == {"learning_curves.png", "confusion_matrix.png", "worst_mistakes.png", "per_class.csv"}
    with (run.path / "artifacts" / "figures" / "per_class.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["support"]) for row in rows) == 180


def test_evaluation_repeats_the_test_metrics_of_the_run(here):
    found = fdl.evaluate("last")
    assert found.metrics == pytest.approx({k: v for k, v in here.metrics.items() if k.startswith("test_")}, rel=1e-5)
    matrix = np.array(found.confusion_matrix)
    assert np.trace(matrix) / matrix.sum() == pytest.approx(found.metrics["test_accuracy"])
    assert [row["support"] for row in found.per_class] == matrix.sum(axis=1).tolist()
    assert {path.rpartition("/")[2] for path in found.figures} == {
        "confusion_matrix.png", "worst_mistakes.png", "per_class.csv",
    }  # fmt: skip


def test_other_data_are_brought_to_the_units_and_classes_of_training(here, digits, tmp_path):
    raw = digits.normalization.invert(digits.test.x)
    keep = digits.test.y >= 5  # labels 5 to 9, which the file numbers from 0
    np.savez(tmp_path / "some.npz", x=raw[keep] * 1.0, y=digits.test.y[keep])
    found = fdl.evaluate("last", data=str(tmp_path / "some.npz"), split="all", output=tmp_path / "figures")
    right = by_hand(here, raw[keep]).argmax(axis=1) == digits.test.y[keep]
    assert found.examples == keep.sum()
    assert found.metrics["all_accuracy"] == pytest.approx(right.mean())
    assert (tmp_path / "figures" / "confusion_matrix.png").is_file()


def test_data_that_do_not_fit_are_refused_with_both_shapes(here):
    with pytest.raises(InvalidData, match=r"takes examples of shape \(8, 8, 1\), and these are \(4,\)"):
        fdl.evaluate("last", data="iris")


def test_predictions_are_what_the_weights_give(here, digits, tmp_path):
    raw = digits.normalization.invert(digits.test.x[:4])
    np.save(tmp_path / "raw.npy", raw)
    np.savetxt(tmp_path / "raw.csv", raw.reshape(4, -1), delimiter=",")
    expected = by_hand(here, raw)
    for found in (
        fdl.predict("last", [tmp_path / "raw.npy"]),
        fdl.predict(here.path, [tmp_path / "raw.csv"]),
        fdl.predict(here.name, split="test", limit=4),
    ):
        np.testing.assert_allclose([list(each.probabilities.values()) for each in found], expected, atol=1e-6)
        assert [each.label for each in found] == [str(index) for index in expected.argmax(axis=1)]
    logits = np.array([each.outputs for each in fdl.predict("last", [tmp_path / "raw.npy"], logits=True)])
    np.testing.assert_allclose(softmax(logits, axis=1), expected, atol=1e-6)


def test_a_picture_drawn_by_hand_is_answered_on_the_command_line(here, capsys, tmp_path):
    picture = Image.new("L", (80, 80), "white")
    ImageDraw.Draw(picture).ellipse((16, 4, 64, 76), outline="black", width=12)
    picture.save(tmp_path / "drawn.png")
    assert command(["predict", "last", str(tmp_path / "drawn.png")]) == 0
    line = capsys.readouterr().out
    assert re.fullmatch(rf"{tmp_path}/drawn.png  0 \(\d+\.\d%\)  \d \(.*\)  \d \(.*\)\n", line)
    assert command(["predict", "last", str(tmp_path / "drawn.png"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    assert found["label"] == "0"
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert f"0 ({found['probabilities']['0']:.1%})" in line


def test_a_bare_file_gives_logits_only(here, tmp_path):
    path = tmp_path / "model.keras"
    shutil.copy(here.model_path, path)
    np.save(tmp_path / "x.npy", np.zeros((8, 8, 1), np.float32))
    with pytest.raises(InvalidData, match=r"raw units of .* are not known"):
        fdl.predict(path, [tmp_path / "x.npy"])
    (found,) = fdl.predict(path, [tmp_path / "x.npy"], logits=True)
    np.testing.assert_allclose(found.outputs, here.model.get_weights()[1], rtol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"files": ["a.png"], "split": "test"}, {"split": "tset"}, {"limit": 0}])
def test_what_cannot_be_asked_is_refused(here, arguments):
    with pytest.raises(InvalidOption):
        fdl.predict("last", **arguments)


def test_commands_print_json_with_stable_keys(here, capsys):
    assert command(["evaluate", "last", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["name"] == here.name
    assert facts.keys() >= {"run_id", "metrics", "per_class", "confusion_matrix", "figures"}
    assert command(["predict", "last", "--split", "test", "--limit", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("test[0]  ")
    assert command(["predict", "last", "nothing.png"]) == 2
    assert capsys.readouterr().err.startswith("fdl: nothing.png cannot be predicted: there is no such file")


@pytest.mark.parametrize("format", ["keras", "saved_model"])
def test_what_is_exported_is_there_and_equal(here, tmp_path, format):
    found = fdl.export("last", format, output=tmp_path / "out" / "model")
    assert found.largest_difference <= 1e-5
    assert found.examples == 64
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model"]


def test_an_export_that_differs_is_not_kept(here, tmp_path, monkeypatch):
    monkeypatch.setitem(exporting._READERS, "keras", lambda path, inputs, allow_unsafe: np.zeros((len(inputs), 10)))
    with pytest.raises(exporting.ExportFailed, match="differ from Keras's by"):
        fdl.export("last", "keras", output=tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []


def test_an_extra_that_is_not_installed_is_named(here, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tf2onnx" else object())
    with pytest.raises(InvalidOption, match=r"needs tf2onnx, not installed here: pip install 'fdl-zoo\[onnx\]'"):
        fdl.export("last", "onnx")


def test_a_folder_with_something_else_in_it_is_left_alone(here, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InvalidOption, match="this folder holds something else"):
        fdl.export("last", "saved_model", output=tmp_path)
    assert (tmp_path / "thesis.tex").exists()


@pytest.fixture
def unwritable(here):
    """A second run like the first, but for a file where its artifacts belong, which root cannot write into either."""
    path = here.path.with_name("unwritable-run")
    shutil.copytree(here.path, path, ignore=shutil.ignore_patterns("artifacts", "model"))
    (path / "artifacts").touch()
    yield path
    shutil.rmtree(path)


def test_metrics_are_told_where_figures_cannot_be_written(here, unwritable, capsys):
    assert command(["evaluate", unwritable.name]) == 2
    told = capsys.readouterr()
    assert f"test_accuracy {here.metrics['test_accuracy']:.4f}" in told.out
    folder = unwritable / "artifacts"
    assert told.err == (
        f"fdl: {folder}/evaluation/digits-test cannot be used: {folder} is a file and no folder; move it away, or"
        " choose another place with -o.\n"
    )
    with pytest.raises(NotDrawn) as refused:
        fdl.evaluate(unwritable.name)
    assert refused.value.evaluation.examples == 180


@pytest.mark.parametrize("name", ["surface", "curvature", "features"])
def test_what_cannot_be_recorded_is_not_computed(unwritable, name, capsys, monkeypatch):
    monkeypatch.setattr("fdl_zoo.backend.load", lambda: pytest.fail("it begins to compute"))
    assert command([name, unwritable.name]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{unwritable}/artifacts/{name} cannot be used: {unwritable}/artifacts is a file and no" in told.err


def test_an_export_below_a_file_is_refused(here, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert command(["export", here.name, "--format", "keras", "-o", str(tmp_path / "file" / "model.keras")]) == 2
    assert capsys.readouterr().err == (
        f"fdl: {tmp_path}/file cannot be used: it is there already; move it away, or choose another place with -o.\n"
    )


@pytest.mark.parametrize("own", ["notes.txt", "data/train.csv", "variables/notes.txt", ".hidden"])
def test_own_files_in_a_saved_model_are_not_deleted(here, tmp_path, own):
    target = tmp_path / "model"
    fdl.export("last", "saved_model", output=target)
    assert fdl.export("last", "saved_model", output=target).path == str(target)  # of an export alone a new one is made
    (target / own).parent.mkdir(exist_ok=True)
    (target / own).write_text("years of work")
    with pytest.raises(InvalidOption, match=rf"holds something else \({own.partition('/')[0]}.*would be deleted"):
        fdl.export("last", "saved_model", output=target)
    assert (target / own).read_text() == "years of work"


@pytest.mark.parametrize("format", ["keras", "onnx", "litert"])
def test_no_file_takes_the_place_of_a_folder(here, tmp_path, format):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(InvalidOption, match=f"it is a folder, and {format} is one file; name a file"):
        fdl.export("last", format, output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model.pb"]


def test_no_folder_takes_the_place_of_a_file(here, tmp_path):
    (tmp_path / "model").write_text("years of work")
    with pytest.raises(InvalidOption, match="it is a file, and saved_model is a folder"):
        fdl.export("last", "saved_model", output=tmp_path / "model")


def test_what_tensorboard_writes_becomes_an_artifact_of_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = fdl.train(
        "logistic_regression", data="digits", epochs=1, progress=Silent(), callbacks=["keras/TensorBoard"],
        settings=["tracking.enabled=false"],
    )  # fmt: skip
    kept = [path.name for path in (run.path / "artifacts" / "tensorboard").rglob("events.*")]
    assert len(kept) == 2  # training and validation
    assert [path.name for path in tmp_path.iterdir()] == ["mlruns"]


def test_without_tensorboard_the_pip_line_is_named(monkeypatch):
    from fdl_zoo.spec import EntryReference
    from fdl_zoo.training.tensorboard import options_in_run

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidOption, match=r"pip install 'fdl-zoo\[tensorboard\]'"):
        options_in_run(EntryReference(name="keras/TensorBoard"), None)
