"""The same raw pixels to predict, pyfunc, an HTTP server, ONNX and LiteRT: the same probabilities from each."""

import asyncio
import importlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from mlflow.types import Schema, TensorSpec

import fdl_zoo as fdl
from fdl_zoo.artifacts import answering
from fdl_zoo.artifacts.serve import exposure, serve, stop
from fdl_zoo.artifacts.target import parse_target
from fdl_zoo.errors import InvalidData, InvalidOption, UnknownName
from fdl_zoo.training.progress import Silent


@pytest.mark.parametrize("target", ["", "a/b", "a:b", "a@", "a@b c", "@champion", "a@latest", "a@v3"])
def test_names_that_mlflow_does_not_take_are_refused(target):
    with pytest.raises(InvalidOption):
        parse_target(target)
    assert parse_target("digits 2@champion") == ("digits 2", "champion")


def test_another_host_is_warned_of():
    assert exposure("127.0.0.1") is None
    assert "Listening on 0.0.0.0" in exposure("0.0.0.0")


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("value", ["NaN", "null", "-Infinity", "1e40"])
def test_a_request_without_a_number_in_a_numbers_place_is_refused(tmp_path, monkeypatch, value):
    """MLflow's application as the server's process has it, of a model of one line instead of TensorFlow's."""

    class Model:
        metadata = SimpleNamespace(
            get_input_schema=lambda: Schema([TensorSpec(np.dtype("float32"), (-1, 2))]),
            get_params_schema=lambda: None,
            _is_signature_from_type_hint=lambda: False,
            _is_type_hint_from_example=lambda: False,
        )

        def predict(self, data, params=None):
            return np.asarray(data)

    pyfunc = importlib.import_module("mlflow.pyfunc")  # by its dotted name it is a stand-in until it is used
    monkeypatch.setattr(pyfunc, "load_model", lambda folder: Model())
    monkeypatch.setenv("FDL_ZOO_SERVED_FOLDER", str(tmp_path))
    application = answering.application()
    assert posted(application, '{"inputs": [[1, 2]]}') == (200, {"predictions": [[1, 2]]})
    status, answer = posted(application, f'{{"inputs": [[1, {value}]]}}')
    assert status == 400
    assert answer["message"] == "The request cannot be predicted: it has NaN or infinity in it."


def posted(application, text):
    """The status and the answer of an ASGI application to a POST of JSON."""
    coming = [{"type": "http.request", "body": text.encode(), "more_body": False}]
    sent = []

    async def receive():
        return coming.pop() if coming else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/invocations", "query_string": b"", "http_version": "1.1"}
    asyncio.run(application(scope | {"headers": [(b"content-type", b"application/json")]}, receive, send))
    return sent[0]["status"], json.loads(b"".join(each.get("body", b"") for each in sent))


def test_columns_of_a_table_are_checked_and_words_let_through():
    answering.check({"word": np.array(["a"]), "number": np.array([1.0])})
    with pytest.raises(InvalidData, match="The request cannot be predicted"):
        answering.check({"word": np.array(["a"]), "number": np.array([np.nan])})


PYFUNC = """
import sys, numpy as np, mlflow
sys.modules["fdl_zoo"] = None
np.save(sys.argv[3], mlflow.pyfunc.load_model(sys.argv[1]).predict(np.load(sys.argv[2])))
"""


@pytest.mark.slow
def test_the_same_pixels_give_the_same_probabilities_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    run = fdl.train("mlp", data="digits", epochs=2, seed=0, progress=Silent())
    registered = fdl.register("last", "digits@champion")
    assert registered.uri == "models:/digits@champion"
    assert fdl.register(run.name, "digits@best").version == registered.version == "1"
    with pytest.raises(UnknownName, match="no model 'models:/digits@chumpion'"):
        fdl.load_model("models:/digits@chumpion")
    for one, two in zip(fdl.load_model("models:/digits@champion").get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    raw = np.random.default_rng(0).integers(0, 17, (6, 8, 8, 1)).astype(np.float32)
    np.save("raw.npy", raw)
    answers = {
        "predict": [each.outputs for each in fdl.predict("last", ["raw.npy"])],
        "registered": [each.outputs for each in fdl.predict("models:/digits@champion", ["raw.npy"])],
    }
    command = [sys.executable, "-c", PYFUNC, run.path / "model", "raw.npy", "out.npy"]
    subprocess.run(command, check=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, timeout=120)
    answers["pyfunc"] = np.load("out.npy")
    onnx = fdl.export("last", "onnx", output="model.onnx")
    session = onnxruntime.InferenceSession(onnx.path, providers=["CPUExecutionProvider"])
    (answers["onnx"],) = session.run(None, {session.get_inputs()[0].name: raw})
    assert fdl.export("last", "litert", output="model.tflite").largest_difference <= 1e-5
    process, url = serve("models:/digits@champion")
    try:
        refused = urllib.request.Request(
            f"{url}/invocations",
            json.dumps({"inputs": np.full((1, 8, 8, 1), np.nan).tolist()}).encode(),
            {"Content-Type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(refused, timeout=60)
        request = urllib.request.Request(
            f"{url}/invocations", json.dumps({"inputs": raw.tolist()}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answers["serve"] = json.load(answer)["predictions"]
    finally:
        stop(process)
    for name, found in answers.items():
        np.testing.assert_allclose(found, answers["predict"], atol=1e-6, err_msg=name)
        np.testing.assert_allclose(np.sum(found, axis=1), 1, atol=1e-5)
