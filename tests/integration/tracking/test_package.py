"""The packaged model: the same probabilities from raw units wherever it is loaded, and one logged model per run."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from scipy.special import expit, softmax

from fdl_zoo.data import Normalization
from fdl_zoo.tracking.mlflow import MlflowTracker, package_model
from fdl_zoo.tracking.sender import mirror


@pytest.fixture(scope="module")
def raw():
    return np.random.default_rng(0).integers(0, 17, (5, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(np.zeros((4, 8, 8, 1)), np.zeros(4), verbose=0)
    return model


def logits(model, inputs):
    """The dense layer in float64."""
    kernel, bias = (np.asarray(each, np.float64) for each in model.get_weights())
    return inputs.reshape(len(inputs), -1).astype(np.float64) @ kernel + bias


NORMALIZATIONS = [Normalization(0.0, 16.0), Normalization(np.linspace(0, 9, 64).reshape(8, 8, 1), 3.0), Normalization()]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(("task", "last"), [("classification", softmax), ("binary", expit), ("regression", np.asarray)])
def test_served_values_equal_the_formula(model, raw, normalization, task, last):
    from fdl_zoo.tracking.served import ServedModel

    outputs = logits(model, normalization(raw))
    expected = last(outputs, axis=-1) if task == "classification" else last(outputs)
    np.testing.assert_allclose(ServedModel(model, normalization, task)(raw), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["uint8", "int64", "float64"])
def test_raw_units_of_any_type_are_normalized_as_numpy_does(model, raw, kind):
    from fdl_zoo.tracking.served import ServedModel

    served = ServedModel(model, NORMALIZATIONS[1], "classification")
    np.testing.assert_array_equal(served._normalized(raw.astype(kind)), NORMALIZATIONS[1](raw))


def test_package_is_whole_quiet_and_replaces_an_older_one(model, raw, tmp_path, capfd):
    folder = tmp_path / "run" / "model"
    for names in ("abcdefghij", "0123456789"):
        package_model(model, folder, input_example=raw, class_names=names)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files >= {"MLmodel", "model.keras", "input_example.json", "data/model/saved_model.pb", "requirements.txt"}
    from mlflow.models import Model

    about = Model.load(str(folder))
    assert about.metadata == {
        "class_names": list("0123456789"),
        "task": "classification",
        "model_keras_requires": ["fdl-zoo==0.1.0"],
    }
    assert about.signature.inputs.inputs[0].shape == (-1, 8, 8, 1)
    assert about.signature.outputs.inputs[0].shape == (-1, 10)
    assert "fdl-zoo" not in (folder / "requirements.txt").read_text()


def test_model_beside_it_keeps_logits_and_optimizer(model, raw, tmp_path):
    package_model(model, tmp_path / "model", input_example=raw)
    loaded = keras.saving.load_model(tmp_path / "model" / "model.keras")
    np.testing.assert_allclose(loaded(raw), logits(model, raw), rtol=1e-4, atol=1e-5)
    assert [np.asarray(each).tolist() for each in loaded.optimizer.variables] == [
        np.asarray(each).tolist() for each in model.optimizer.variables
    ]


def test_one_logged_model_at_the_run_which_loads_by_its_uri(uri, run, model, raw, log, client, monkeypatch):
    import mlflow

    normalization = NORMALIZATIONS[0]
    package_model(model, run.model, input_example=raw, normalization=normalization)
    log(run, 1, 2)
    run.finish("FINISHED")
    tracker = MlflowTracker(uri)
    tracker.begin(run)
    begun = tracker._create_logged_model(46)  # as a crash leaves it: made, not finished
    mirror(run, MlflowTracker(uri))
    (output,) = client(uri).get_run(run.run_id).outputs.model_outputs
    assert (output.model_id, output.step) == (begun.model_id, 46)
    logged = client(uri).get_logged_model(output.model_id)
    assert (logged.status, logged.source_run_id, logged.model_type) == ("READY", run.run_id, "keras")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    loaded = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    assert (loaded.metadata.model_id, loaded.metadata.run_id) == (output.model_id, run.run_id)
    np.testing.assert_allclose(loaded.predict(raw), softmax(logits(model, normalization(raw)), axis=-1), atol=1e-6)
    places = {path.name for path in (run.root / "artifacts").rglob("*") if path.is_file()}
    assert {"model.keras", "input_example.json", "saved_model.pb"} <= places
    assert run.run_id not in (run.model / "MLmodel").read_text()


ELSEWHERE = """
import sys
import numpy as np, mlflow
sys.modules["fdl_zoo"] = None
loaded = mlflow.pyfunc.load_model(sys.argv[1])
np.save(sys.argv[3], loaded.predict(np.load(sys.argv[2])))
"""


@pytest.mark.slow
def test_package_loads_in_a_process_without_this_package(raw, tmp_path):
    class Doubled(keras.layers.Layer):
        """A layer that no other process knows."""

        def call(self, inputs):
            return 2 * inputs

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), Doubled(), keras.layers.Dense(10)])
    package_model(model, tmp_path / "model", input_example=raw, normalization=NORMALIZATIONS[0])
    np.save(tmp_path / "raw.npy", raw)
    command = [sys.executable, "-c", ELSEWHERE, tmp_path / "model", tmp_path / "raw.npy", tmp_path / "out.npy"]
    subprocess.run(command, check=True, cwd=tmp_path, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, timeout=120)
    expected = softmax(logits(model, 2 * NORMALIZATIONS[0](raw)), axis=-1)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)


def test_a_model_of_words_takes_whole_numbers(tmp_path):
    import mlflow

    import fdl_zoo

    keras.utils.set_random_seed(0)
    words = np.random.default_rng(0).integers(0, 9, (5, 7), np.int32)
    model = fdl_zoo.create_model("lstm", (7,), 1, units=4, vocabulary=9, embedding=3)
    package_model(model, tmp_path / "model", input_example=words, task="binary")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert loaded.metadata.signature.inputs.inputs[0].type == np.int32
    np.testing.assert_allclose(loaded.predict(words), expit(np.asarray(model(words))), atol=1e-6)


def test_examples_of_words_are_kept_as_they_are():
    from fdl_zoo.artifacts.interface import Interface
    from fdl_zoo.data import Dataset, Split

    words = Split(np.arange(12, dtype=np.int32).reshape(4, 3), np.arange(4) % 2)
    assert Interface.of(Dataset(words, words, words, (3,), 1, "binary")).example.dtype == np.int32
    pixels = Split(np.full((4, 3), 0.5, np.float32), np.arange(4) % 2)
    data = Dataset(pixels, pixels, pixels, (3,), 2, "classification", normalization=Normalization(0, 16))
    np.testing.assert_array_equal(Interface.of(data).example[:3], np.full((3, 3), 8, np.float32))
