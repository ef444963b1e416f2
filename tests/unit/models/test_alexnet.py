"""alexnet with all that the paper's has (stride 4, two groups, local response) against TensorFlow's own operations."""

import numpy as np
import tensorflow as tf

from fdl_zoo.models import alexnet

OPTIONS = {"filters": (6, 8, 10, 8, 6), "units": 12}
STRIDES = {"conv_1": 4}
PADDING = {"conv_1": "VALID"}
NORMALIZED, POOLED = ("conv_1", "conv_2"), ("conv_1", "conv_2", "conv_5")


def forward(x, weights):
    """The paper's network by its weights: each convolution's groups are computed apart and laid side by side."""
    for name in ("conv_1", "conv_2", "conv_3", "conv_4", "conv_5"):
        kernel, bias = weights[f"{name}/kernel"], weights[f"{name}/bias"]
        groups = x.shape[-1] // kernel.shape[2]
        parts = [
            tf.nn.conv2d(maps, filters, STRIDES.get(name, 1), PADDING.get(name, "SAME"))
            for maps, filters in zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        ]
        x = tf.nn.relu(tf.concat(parts, -1) + bias)
        if name in NORMALIZED:
            x = tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)
        if name in POOLED:
            x = tf.nn.max_pool2d(x, 3, 2, "VALID")
    x = tf.reshape(x, (len(x), -1))
    for name in ("fc_1", "fc_2"):
        x = tf.nn.relu(x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"])
    return x @ weights["output/kernel"] + weights["output/bias"]


def test_the_same_weights_give_the_papers_logits():
    model = alexnet.build((99, 83, 3), 4, **OPTIONS)
    generator = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(generator.normal(size=weight.shape, scale=0.3))
    x = 30 * generator.normal(size=(2, 99, 83, 3)).astype(np.float32)  # large, so that local response matters
    weights = {weight.path: weight.value for weight in model.weights}
    expected = forward(tf.constant(x), weights)
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert [layer.groups for layer in model.layers if layer.name.startswith("conv") and hasattr(layer, "groups")] == [
        1, 2, 1, 2, 2,
    ]  # fmt: skip
