"""Mixed precision: layers compute in bfloat16, weights and every optimizer's state stay float32, and training works."""

import keras
import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.training.progress import Silent

pytestmark = pytest.mark.usefixtures("undrawn")

LONG = ("sgd", "momentum", "adagrad", "rmsprop", "bfgs", "conjugate_gradient")


@pytest.mark.parametrize(
    "optimizer",
    [
        "adam",
        pytest.param("lbfgs", marks=pytest.mark.slow),
        *(pytest.param(name, marks=pytest.mark.long) for name in LONG),
    ],
)
def test_an_optimizer_keeps_float32_where_layers_compute_in_bfloat16(optimizer, tmp_path):
    same = {"data": "digits", "optimizer": optimizer, "epochs": 3, "root": tmp_path, "progress": Silent()}
    settings = ["tracking.enabled=false"]
    mixed = fdl.train("mlp", precision="mixed_bfloat16", settings=settings, **same)
    single = fdl.train("mlp", settings=settings, **same)
    model = mixed.model
    assert {layer.compute_dtype for layer in model.layers if layer.weights} == {"bfloat16"}
    assert {str(weight.dtype) for weight in model.weights} <= {"float32", "uint32"}
    kept = {str(each.dtype) for each in model.optimizer.variables if np.ndim(each.numpy())}
    assert "bfloat16" not in kept
    # bfloat16 has eight bits: the losses agree to about one in a hundred, and neither training stops short.
    assert mixed.history["loss"][-1] == pytest.approx(single.history["loss"][-1], rel=0.15, abs=0.02)
    assert mixed.metrics["test_accuracy"] > single.metrics["test_accuracy"] - 0.03


def test_a_run_in_float16_scales_its_loss_and_ends_with_its_best_weights(tmp_path):
    run = fdl.train(
        "mlp",
        precision="mixed_float16",
        epochs=2,
        root=tmp_path,
        progress=Silent(),
        settings=["tracking.enabled=false"],
    )
    assert isinstance(run.model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert run.status == "FINISHED"
    assert run.metrics["best_test_accuracy"] > 0.8
