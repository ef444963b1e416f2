"""The same raw pixels to predict, pyfunc, an HTTP server, ONNX and LiteRT: the same probabilities from each."""

import json
import os
import subprocess
import sys
import urllib.request

import numpy as np
import onnxruntime
import pytest

import fdl_zoo as fdl
from fdl_zoo.artifacts.serve import exposure, serve, stop
from fdl_zoo.artifacts.target import parse_target
from fdl_zoo.errors import InvalidOption, UnknownName
from fdl_zoo.training.progress import Silent


@pytest.mark.parametrize("target", ["", "a/b", "a:b", "a@", "a@b c", "@champion", "a@latest", "a@v3"])
def test_names_that_mlflow_does_not_take_are_refused(target):
    with pytest.raises(InvalidOption):
        parse_target(target)
    assert parse_target("digits 2@champion") == ("digits 2", "champion")


def test_another_host_is_warned_of():
    assert exposure("127.0.0.1") is None
    assert "Listening on 0.0.0.0" in exposure("0.0.0.0")


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
