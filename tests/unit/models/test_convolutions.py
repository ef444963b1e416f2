"""Image models against SciPy and NumPy in float64, layer by layer, and against the layers that the book lists."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate

from fdl_zoo.models import _layers, alexnet, convnet, vgg


def convolve(layer, x):
    """Convolution of stride 1 that keeps height and width: SciPy's correlation, map by map."""
    kernel, *bias = (weight.astype(np.float64) for weight in layer.get_weights())
    rows, columns = (size // 2 for size in kernel.shape[:2])
    x = np.pad(x, [(0, 0), (rows, rows), (columns, columns), (0, 0)])
    maps = [[correlate(image, kernel[..., index], "valid")[..., 0] for index in range(kernel.shape[-1])] for image in x]
    return np.moveaxis(np.array(maps), 1, -1) + (bias[0] if bias else 0)


def pool(layer, x):
    """Largest value of each window, windows cut at the border as TensorFlow's `same` places them."""
    size, stride = layer.pool_size[0], layer.strides[0]
    count = [-(-length // stride) for length in x.shape[1:3]]
    before = [max((n - 1) * stride + size - length, 0) // 2 for n, length in zip(count, x.shape[1:3], strict=True)]
    out = np.empty((len(x), *count, x.shape[-1]))
    for row, column in np.ndindex(*count):
        top, left = row * stride - before[0], column * stride - before[1]
        out[:, row, column] = x[:, max(top, 0) : top + size, max(left, 0) : left + size].max(axis=(1, 2))
    return out


def normalize(layer, x):
    scale, offset, mean, variance = (weight.astype(np.float64) for weight in layer.get_weights())
    return scale * (x - mean) / np.sqrt(variance + layer.epsilon) + offset


STEPS = {
    "InputLayer": lambda layer, x: x,
    "Conv2D": convolve,
    "MaxPooling2D": pool,
    "BatchNormalization": normalize,
    "Activation": lambda layer, x: np.maximum(x, 0),
    "Flatten": lambda layer, x: x.reshape(len(x), -1),
    "Dropout": lambda layer, x: x,
    "Dense": lambda layer, x: x @ layer.get_weights()[0] + (layer.get_weights()[1] if layer.use_bias else 0),
}


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (convnet, {"filters": (3, 4), "units": 5}),
        (convnet, {"filters": (3, 4), "units": 5, "batch_norm": True, "dropout": 0.0}),
        (vgg, {"convolutions": (2, 1), "filters": (3, 4), "units": 5, "batch_norm": True}),
        (
            alexnet,
            alexnet.CARD.variant_options("alexnet_small") | {"filters": (3, 4, 3, 4, 3), "units": 5},
        ),
    ],
)
def test_outputs_equal_numpy(module, options):
    model = module.build((7, 9, 2), 3, **options)
    generator = np.random.default_rng(0)
    model.set_weights([np.abs(generator.normal(size=weight.shape, scale=0.3)) for weight in model.get_weights()])
    signs = [
        weight * generator.choice([-1, 1], weight.shape) if weight.ndim > 1 else weight
        for weight in model.get_weights()
    ]
    model.set_weights(signs)  # kernels of both signs; variances stay positive
    x = generator.normal(size=(2, 7, 9, 2)).astype(np.float32)
    expected = x.astype(np.float64)
    for layer in model.layers:
        expected = STEPS[type(layer).__name__](layer, expected)
    np.testing.assert_allclose(model(x), expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


def test_convnet_has_the_layers_of_the_book():
    shapes = [(layer.name, layer.output.shape[1:]) for layer in convnet.build().layers]
    assert shapes == [
        ("input", (28, 28, 1)),
        ("conv_1", (28, 28, 32)),
        ("conv_1_relu", (28, 28, 32)),
        ("pool_1", (14, 14, 32)),
        ("conv_2", (14, 14, 64)),
        ("conv_2_relu", (14, 14, 64)),
        ("pool_2", (7, 7, 64)),
        ("flatten", (3136,)),
        ("fc", (1024,)),
        ("fc_relu", (1024,)),
        ("dropout", (1024,)),
        ("output", (10,)),
    ]


def test_alexnet_has_the_maps_of_the_paper(monkeypatch):
    monkeypatch.setattr(_layers, "initializer", lambda _: "zeros")
    shapes = {layer.name: layer.output.shape[1:] for layer in alexnet.build().layers}
    assert [shapes[f"conv_{number}"] for number in range(1, 6)] == [
        (55, 55, 96),
        (27, 27, 256),
        (13, 13, 384),
        (13, 13, 384),
        (13, 13, 256),
    ]
    assert shapes["flatten"] == (9216,)
    assert {"norm_1", "norm_2"} < set(shapes)


def test_local_response_normalization_equals_tensorflows():
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 7), scale=50).astype(np.float32)
    expected = tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)
    np.testing.assert_allclose(_layers.LocalResponseNormalization()(x), expected, rtol=1e-5)


def test_grouped_convolutions_train():
    """AlexNet's groups: each half of the filters sees half of the maps."""
    keras.utils.set_random_seed(0)
    model = alexnet.build((67, 67, 3), 2, filters=(8, 8, 8, 8, 8), units=32, dropout=0.0)
    assert [model.get_layer(f"conv_{number}").kernel.shape[2] for number in range(1, 6)] == [3, 4, 8, 4, 4]
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(2, 67, 67, 3)).astype(np.float32)
    before = model.get_layer("conv_2").kernel.numpy()
    model.fit(x, np.ones((2, 2)), verbose=0)
    assert not np.array_equal(before, model.get_layer("conv_2").kernel.numpy())


def test_batch_norm_lets_the_network_do_without_dropout():
    model = convnet.build((8, 8, 1), 10, **convnet.CARD.variant_options("convnet_bn"))
    kinds = [type(layer) for layer in model.layers]
    assert kinds.count(keras.layers.BatchNormalization) == 3
    assert keras.layers.Dropout not in kinds
