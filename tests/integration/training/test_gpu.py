"""On a GPU: a run lands there, gives what the CPU gives, and mixed precision trains; skipped where there is none."""

import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo as fdl
from fdl_zoo.training.progress import Silent

pytestmark = pytest.mark.skipif(
    not tf.config.list_physical_devices("GPU"), reason="TensorFlow sees no GPU on this machine"
)
QUIET = {"progress": Silent(), "settings": ["tracking.enabled=false"]}


def test_a_run_takes_the_gpu_by_itself_and_says_so(tmp_path):
    run = fdl.train("mlp", data="digits", epochs=1, root=tmp_path, **QUIET)
    assert run.folder.facts["chosen"]["devices"] == ["GPU:0"]
    assert all("GPU" in weight.value.device for weight in run.model.trainable_weights)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "rmsprop", "adam", "lbfgs"])
def test_the_gpu_gives_what_the_cpu_gives(optimizer, tmp_path):
    same = {"data": "digits", "optimizer": optimizer, "epochs": 2, "precision": "float64", "root": tmp_path}
    one, other = (
        fdl.train("logistic_regression", devices=device, **same, **QUIET).model.get_weights()
        for device in ("cpu:0", "gpu:0")
    )
    for expected, found in zip(one, other, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_mixed_precision_keeps_weights_and_optimizer_in_float32(tmp_path):
    run = fdl.train("convnet", data="digits", epochs=3, precision="mixed_bfloat16", root=tmp_path, **QUIET)
    assert {str(weight.dtype) for weight in run.model.trainable_weights} == {"float32"}
    assert run.metrics["test_accuracy"] > 0.95
