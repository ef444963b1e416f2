"""AlexNet: five convolutions and three dense layers, the network that won ImageNet in 2012 (chapter 5).

Of the paper's size, with its two groups of filters, local response normalization and overlapping pooling, for images of
227x227 pixels. `alexnet_small` has the same order of layers at a size that trains here on digits; it leaves out the
groups and the normalization, which later work found to help little.
"""

from typing import Literal

import keras

from fdl_zoo.card import Card, Recipe, Reference, Variant, Weights
from fdl_zoo.models import _layers

CARD = Card(
    task=("classification", "binary", "regression"),
    chapter=5,
    citation="Krizhevsky, Sutskever and Hinton (2012), ImageNet classification with deep convolutional neural networks",
    input_shape=(227, 227, 3),
    num_outputs=1000,
    num_params=11 * 11 * 3 * 96
    + 96
    + 5 * 5 * 48 * 256
    + 256
    + 3 * 3 * 256 * 384
    + 384
    + 3 * 3 * 192 * 384
    + 384
    + 3 * 3 * 192 * 256
    + 256
    + 6 * 6 * 256 * 4096
    + 4096
    + 4096 * 4096
    + 4096
    + 4096 * 1000
    + 1000,
    tags=("images", "convolution", "large"),
    capabilities=("image",),
    variants={
        "alexnet_small": Variant(
            {
                "filters": (32, 64, 96, 96, 64),
                "kernel_size": 3,
                "strides": 1,
                "padding": "same",
                "groups": 1,
                "units": 256,
                "local_response_norm": False,
            },
            summary="AlexNet's order of layers at a size that trains on digits (chapter 5).",
            input_shape=(8, 8, 1),
            num_outputs=10,
            num_params=3 * 3 * 1 * 32
            + 32
            + 5 * 5 * 32 * 64
            + 64
            + 3 * 3 * 64 * 96
            + 96
            + 3 * 3 * 96 * 96
            + 96
            + 3 * 3 * 96 * 64
            + 64
            + 1 * 1 * 64 * 256
            + 256
            + 256 * 256
            + 256
            + 256 * 10
            + 10,
            recipes={
                "digits": Recipe(
                    {"name": "adam", "learning_rate": 0.001},
                    batch_size=32,
                    epochs=20,
                    reference=Reference(
                        "test_accuracy", 0.97, tolerance=0.025, command="fdl train alexnet_small --data digits"
                    ),
                )
            },
            weights={
                "digits": Weights(
                    "weights/alexnet_small-digits.weights.h5",
                    sha256="2757eb92d6a144c913ff67761dc3bb0c2e38b278278d22d3092abf06fb903688",
                    metric="test_accuracy",
                    value=0.9556,
                    command="fdl train alexnet_small --data digits --seed 0 --precision float64 --devices cpu:0"
                    " --set jit=false",
                )
            },
        ),
    },
    ranges={
        "kernel_size": "[1, inf)",
        "strides": "[1, inf)",
        "groups": "[1, inf)",
        "units": "[1, inf)",
        "dropout": "[0, 1)",
    },
    recipes={
        "digits": Recipe({"name": "adam", "learning_rate": 0.0001}, batch_size=32, epochs=20, data={"enlarge": 9}),
    },
)


def build(
    input_shape: tuple[int, ...] = (227, 227, 3),
    num_outputs: int = 1000,
    *,
    filters: tuple[int, ...] = (96, 256, 384, 384, 256),
    kernel_size: int = 11,
    strides: int = 4,
    padding: Literal["valid", "same"] = "valid",
    groups: int = 2,
    units: int = 4096,
    dropout: float = 0.5,
    local_response_norm: bool = True,
) -> keras.Model:
    """Builds the model.

    Args:
        input_shape: Height, width and channels of an image.
        num_outputs: Number of classes or values.
        filters: Feature maps of the five convolutions.
        kernel_size: Height and width of the first convolution's filters.
        strides: Distance between their applications.
        padding: Whether the first convolution and the pooling stay inside the image (`valid`) or pad it.
        groups: Groups into which the filters of the second, fourth and fifth convolution are divided.
        units: Neurons of each of the two dense layers.
        dropout: Probability that one of them is set to zero in training.
        local_response_norm: Whether the first two convolutions' outputs are normalized over neighbouring maps.

    Raises:
        InvalidData: Examples are not images, or are too small for the first convolution and three poolings.
    """
    _layers.check_image("alexnet", input_shape, _smallest(kernel_size, strides, padding), "alexnet_small takes smaller")
    # Each convolution: size of its filters, groups, and whether it is normalized and pooled.
    layout = [(kernel_size, 1, True, True), (5, groups, True, True), (3, 1, False, False), (3, groups, False, False)]
    layout.append((3, groups, False, True))
    inputs = keras.Input(input_shape, name="input")
    x = inputs
    for number, (maps, (size, group, norm, pool)) in enumerate(zip(filters, layout, strict=True), start=1):
        options = {"strides": strides, "padding": padding} if number == 1 else {"groups": group}
        x = _layers.normalized(x, _layers.convolution(maps, size, f"conv_{number}", **options), batch_norm=False)
        if norm and local_response_norm:
            x = _layers.LocalResponseNormalization(name=f"norm_{number}")(x)
        if pool:
            x = keras.layers.MaxPooling2D(3, 2, padding=padding, name=f"pool_{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)  # [batch, height * width * maps]
    for number in (1, 2):
        x = _layers.normalized(x, _layers.dense(units, f"fc_{number}"), batch_norm=False)  # [batch, units]
        x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return keras.Model(inputs, _layers.dense(num_outputs, "output")(x), name="alexnet")  # [batch, outputs]


def _smallest(kernel_size: int, strides: int, padding: str) -> int:
    """The least height and width: three poolings of 3 by 2 need 15 positions of the first convolution."""
    return 1 if padding == "same" else kernel_size + 14 * strides
