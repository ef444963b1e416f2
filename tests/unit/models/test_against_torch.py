"""convnet and mlp against PyTorch 2.13.0: the same weights give the same logits, loss and gradients, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo
from tests.unit import torch_reference

PROGRAM = """
import sys, numpy, torch
from torch.nn import functional as f
data = {name: torch.tensor(value) for name, value in numpy.load(sys.argv[1]).items()}
weights = {name: value for name, value in data.items() if "/" in name}
learned = {name: value.requires_grad_() for name, value in weights.items() if "moving" not in name}
def normalized(x, name):
    if name + "_norm/gamma" not in weights:
        return x
    gamma, beta, mean, variance = (
        weights[f"{name}_norm/{each}"] for each in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return f.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)

x = data["x"]
if "conv_1/kernel" in weights:
    x = x.permute(0, 3, 1, 2)  # [batch, channels, height, width]
    for name in ("conv_1", "conv_2"):
        kernel = weights[name + "/kernel"].permute(3, 2, 0, 1)  # [out, in, height, width]
        x = f.conv2d(x, kernel, weights.get(name + "/bias"), padding=kernel.shape[-1] // 2)
        x = normalized(x, name)
        x = f.max_pool2d(f.relu(x), 2, ceil_mode=True)
    x = x.permute(0, 2, 3, 1)
    layers = ("fc", "output")
else:
    layers = ("hidden_1", "hidden_2", "output")
x = x.flatten(1)
for name in layers:
    x = f.linear(x, weights[name + "/kernel"].T, weights.get(name + "/bias"))
    x = normalized(x, name)
    x = x if name == "output" else f.relu(x)
loss = f.cross_entropy(x, data["y"])
loss.backward()
results = {"version": numpy.array(torch.__version__), "logits": x.detach().numpy(), "loss": loss.detach().numpy()}
results |= {name: value.grad.numpy() for name, value in learned.items()}
numpy.savez(sys.argv[2], **results)
"""


def randomized(model):
    """Weights and statistics of a size at which every part of the network matters."""
    generator = np.random.default_rng(1)
    for weight in model.weights:
        drawn = generator.normal(size=weight.shape) * (0.1 if len(weight.shape) > 1 else 0.5)
        weight.assign(np.abs(drawn) + 0.5 if weight.path.endswith(("gamma", "moving_variance")) else drawn)
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("convnet", (8, 8, 1), {}),
        ("convnet", (7, 9, 3), {"filters": (4, 6), "kernel_size": 3, "units": 11}),  # windows are cut at the border
        ("convnet_bn", (8, 8, 1), {"units": 32}),
        ("mlp", (8, 8, 1), {}),
    ],
)
def test_the_same_weights_give_torchs_logits_and_gradients(name, shape, options, float64, tmp_path):
    model = randomized(fdl_zoo.create_model(name, shape, 10, **options))
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(6, *shape)), generator.integers(0, 10, 6)
    with tf.GradientTape() as tape:
        logits = model(x, training=False)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, logits)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    weights = {weight.path: weight.numpy() for weight in model.weights}
    found = torch_reference.run(PROGRAM, {"x": x, "y": y, **weights}, tmp_path)
    np.testing.assert_allclose(logits, found["logits"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(loss, found["loss"], rtol=1e-12)
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        scale = np.abs(found[weight.path]).max()
        np.testing.assert_allclose(gradient, found[weight.path], atol=1e-12 * scale, err_msg=weight.path)


@pytest.mark.slow
def test_the_packaged_convnet_classifies_digits_in_torch(float64, tmp_path):
    model, test = fdl_zoo.create_model("convnet", weights="digits"), fdl_zoo.load_dataset("digits").test
    weights = {weight.path: weight.numpy() for weight in model.weights}
    found = torch_reference.run(PROGRAM, {"x": test.x.astype(np.float64), "y": test.y, **weights}, tmp_path)
    np.testing.assert_allclose(model(test.x), found["logits"], rtol=1e-10, atol=1e-10)
    stated = fdl_zoo.describe("models", "convnet")["weights"]["digits"]["value"]
    assert np.mean(found["logits"].argmax(axis=1) == test.y) == pytest.approx(stated, abs=1e-4)
