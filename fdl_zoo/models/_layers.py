"""Parts that several models share: the book's initial weights, penalties on large weights, layers (chapters 2 to 5)."""

from typing import Any

import keras

from fdl_zoo.errors import InvalidData

INITIALIZERS = {
    "he_normal": lambda: keras.initializers.HeNormal(),
    "book_normal": lambda: keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal"),
    "uniform": lambda: keras.initializers.RandomUniform(-1.0, 1.0),
    "glorot_uniform": lambda: keras.initializers.GlorotUniform(),
}


def initializer(name: str) -> keras.Initializer:
    """A fresh initializer: one object shared by two layers would draw the same weights for both."""
    return INITIALIZERS[name]()


def regularizer(l1: float, l2: float) -> keras.regularizers.Regularizer | None:
    """The penalty on a layer's weights, or None where both parts are zero."""
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def constraint(max_norm: float | None) -> keras.constraints.Constraint | None:
    """The bound on the norm of each unit's incoming weights, or None."""
    return None if max_norm is None else keras.constraints.MaxNorm(max_norm)


def single_layer(name: str, input_shape: tuple[int, ...], num_outputs: int, l1: float, l2: float) -> keras.Model:
    """One layer Wx + b over flattened examples, W and b starting at zero: what the book's linear models share."""
    inputs = keras.Input(input_shape, name="input")
    x = keras.layers.Flatten(name="flatten")(inputs)  # [batch, features]
    penalty = regularizer(l1, l2)
    output = keras.layers.Dense(num_outputs, kernel_initializer="zeros", kernel_regularizer=penalty, name="output")
    return keras.Model(inputs, output(x), name=name)  # [batch, outputs]


def normalized(x: keras.KerasTensor, layer: keras.Layer, batch_norm: bool) -> keras.KerasTensor:
    """A layer's logits, normalized over the batch if asked for, then ReLU; named after the layer."""
    x = layer(x)
    if batch_norm:
        x = keras.layers.BatchNormalization(name=f"{layer.name}_norm")(x)
    return keras.layers.Activation("relu", name=f"{layer.name}_relu")(x)


def convolution(filters: int, size: int, name: str, batch_norm: bool = False, **options: Any) -> keras.layers.Conv2D:
    """A convolution that keeps height and width, with He normal weights; batch norm's offset replaces its bias."""
    options = {"padding": "same", "kernel_initializer": initializer("he_normal"), "use_bias": not batch_norm} | options
    return keras.layers.Conv2D(filters, size, name=name, **options)


def dense(units: int, name: str, batch_norm: bool = False) -> keras.layers.Dense:
    """A fully connected layer with He normal weights; batch norm's offset replaces its bias."""
    return keras.layers.Dense(units, use_bias=not batch_norm, kernel_initializer=initializer("he_normal"), name=name)


def check_image(model: str, shape: tuple[int, ...], smallest: int = 1, instead: str = "mlp takes any shape") -> None:
    """Checks that examples are images of a size that the model can shrink.

    Args:
        model: The model's name.
        shape: Shape of one example.
        smallest: Least height and width.
        instead: What the message recommends.

    Raises:
        InvalidData: They are not.
    """
    if len(shape) != 3 or min(shape[:2]) < smallest:
        size = "" if smallest == 1 else f" of at least {smallest}x{smallest} pixels"
        raise InvalidData(
            f"{model} cannot take examples of shape {tuple(shape)}: it needs images [height, width, channels]{size}; "
            f"{instead}."
        )


@keras.saving.register_keras_serializable(package="fdl_zoo")
class LocalResponseNormalization(keras.Layer):
    """AlexNet's b_i = a_i / (2 + 1e-4 * sum of a_j^2 over the 5 neighbouring maps j)^0.75."""

    def call(self, inputs: Any) -> Any:
        """Normalizes feature maps [batch, height, width, maps]."""
        squares = keras.ops.pad(keras.ops.square(inputs), [[0, 0], [0, 0], [0, 0], [2, 2]])
        maps = inputs.shape[-1]
        total = sum(squares[..., shift : shift + maps] for shift in range(5))
        return inputs / keras.ops.power(2.0 + 1e-4 * total, 0.75)
