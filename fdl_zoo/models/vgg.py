"""VGG: several 3x3 convolutions before each pooling, so that pooling discards less (chapter 5).

`vgg` and `vgg16` are configuration D of the paper, `vgg11` is configuration A, `vgg_small` is for digits.

On the 8x8 digits stacking is not ahead: of four convolutions with 16 maps, two before one pooling reach a validation
accuracy of 0.966 +- 0.008, a pooling after each 0.983 +- 0.000 (`python examples/stacked_convolutions.py`, five seeds).
"""

import keras

from fdl_zoo.card import Card, Recipe, Reference, Variant, Weights
from fdl_zoo.errors import InvalidOption
from fdl_zoo.models import _layers

CARD = Card(
    task=("classification", "binary", "regression"),
    chapter=5,
    citation="Simonyan and Zisserman (2015), arXiv:1409.1556",
    input_shape=(224, 224, 3),
    num_outputs=1000,
    num_params=9 * 3 * 64
    + 9 * 64 * 64
    + 2 * 64
    + 9 * 64 * 128
    + 9 * 128 * 128
    + 2 * 128
    + 9 * 128 * 256
    + 2 * 9 * 256 * 256
    + 3 * 256
    + 9 * 256 * 512
    + 2 * 9 * 512 * 512
    + 3 * 512
    + 3 * 9 * 512 * 512
    + 3 * 512
    + 7 * 7 * 512 * 4096
    + 4096
    + 4096 * 4096
    + 4096
    + 4096 * 1000
    + 1000,
    tags=("images", "convolution", "large"),
    capabilities=("image",),
    variants={
        "vgg16": Variant(
            {"convolutions": (2, 2, 3, 3, 3)},
            summary="VGG with 16 layers of weights, configuration D of the paper (chapter 5).",
            num_params=9 * 3 * 64
            + 9 * 64 * 64
            + 2 * 64
            + 9 * 64 * 128
            + 9 * 128 * 128
            + 2 * 128
            + 9 * 128 * 256
            + 2 * 9 * 256 * 256
            + 3 * 256
            + 9 * 256 * 512
            + 2 * 9 * 512 * 512
            + 3 * 512
            + 3 * 9 * 512 * 512
            + 3 * 512
            + 7 * 7 * 512 * 4096
            + 4096
            + 4096 * 4096
            + 4096
            + 4096 * 1000
            + 1000,
        ),
        "vgg11": Variant(
            {"convolutions": (1, 1, 2, 2, 2)},
            summary="VGG with 11 layers of weights, configuration A of the paper (chapter 5).",
            num_params=9 * 3 * 64
            + 64
            + 9 * 64 * 128
            + 128
            + 9 * 128 * 256
            + 9 * 256 * 256
            + 2 * 256
            + 9 * 256 * 512
            + 9 * 512 * 512
            + 2 * 512
            + 2 * 9 * 512 * 512
            + 2 * 512
            + 7 * 7 * 512 * 4096
            + 4096
            + 4096 * 4096
            + 4096
            + 4096 * 1000
            + 1000,
        ),
        "vgg_small": Variant(
            {"convolutions": (2, 2), "filters": (32, 64), "units": 128},
            summary="VGG with two blocks of two convolutions, for digits (chapter 5).",
            input_shape=(8, 8, 1),
            num_outputs=10,
            num_params=9 * 1 * 32
            + 9 * 32 * 32
            + 2 * 32
            + 9 * 32 * 64
            + 9 * 64 * 64
            + 2 * 64
            + 2 * 2 * 64 * 128
            + 128
            + 128 * 128
            + 128
            + 128 * 10
            + 10,
            recipes={
                "digits": Recipe(
                    {"name": "adam", "learning_rate": 0.001},
                    batch_size=32,
                    epochs=20,
                    reference=Reference(
                        "test_accuracy", 0.9944, tolerance=0.02, command="fdl train vgg_small --data digits"
                    ),
                )
            },
            weights={
                "digits": Weights(
                    "weights/vgg_small-digits.weights.h5",
                    sha256="6b449cac9bab439d6f2f6a7c5e08d4b95d89e7743ff8c7248adf103179303b99",
                    metric="test_accuracy",
                    value=1.0,
                    command="fdl train vgg_small --data digits --seed 0 --precision float64 --devices cpu:0"
                    " --set jit=false",
                )
            },
        ),
    },
    ranges={"convolutions": "[1, inf)", "filters": "[1, inf)", "units": "[1, inf)", "dropout": "[0, 1)"},
    recipes={"digits": Recipe({"name": "adam", "learning_rate": 0.0001}, batch_size=32, epochs=20)},
)


def build(
    input_shape: tuple[int, ...] = (224, 224, 3),
    num_outputs: int = 1000,
    *,
    convolutions: tuple[int, ...] = (2, 2, 3, 3, 3),
    filters: tuple[int, ...] = (64, 128, 256, 512, 512),
    units: int = 4096,
    dropout: float = 0.5,
    batch_norm: bool = False,
) -> keras.Model:
    """Builds the model.

    Args:
        input_shape: Height, width and channels of an image.
        num_outputs: Number of classes or values.
        convolutions: Number of convolutions in each block; a pooling ends it.
        filters: Feature maps of each block's convolutions.
        units: Neurons of each of the two dense layers.
        dropout: Probability that one of them is set to zero in training.
        batch_norm: Whether logits are normalized over the batch before each ReLU.

    Raises:
        InvalidData: Examples are not images.
        InvalidOption: There are not as many `filters` as blocks.
    """
    _layers.check_image("vgg", input_shape)
    if len(convolutions) != len(filters):
        raise InvalidOption(
            f"vgg cannot have {len(convolutions)} blocks of convolutions and {len(filters)} numbers of filters: "
            "give one number of filters per block."
        )
    inputs = keras.Input(input_shape, name="input")
    x = inputs
    for block, (count, maps) in enumerate(zip(convolutions, filters, strict=True), start=1):
        for number in range(1, count + 1):
            convolution = _layers.convolution(maps, 3, f"conv_{block}_{number}", batch_norm)
            x = _layers.normalized(x, convolution, batch_norm)  # [batch, height, width, maps]
        x = keras.layers.MaxPooling2D(2, padding="same", name=f"pool_{block}")(x)  # height and width halved
    x = keras.layers.Flatten(name="flatten")(x)  # [batch, height * width * maps]
    for number in (1, 2):
        x = _layers.normalized(x, _layers.dense(units, f"fc_{number}", batch_norm), batch_norm)  # [batch, units]
        x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return keras.Model(inputs, _layers.dense(num_outputs, "output")(x), name="vgg")  # [batch, outputs]
