"""Parts that several models share: the book's initial weights and its penalties on large weights (chapters 2 and 3)."""

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


def image_shape(model: str, shape: tuple[int, ...], smallest: int) -> None:
    """Checks that examples are images of a size that the model can shrink.

    Raises:
        InvalidData: They are not.
    """
    if len(shape) != 3 or min(shape[:2]) < smallest:
        raise InvalidData(
            f"{model} cannot take examples of shape {tuple(shape)}: it needs images [height, width, channels] "
            f"of at least {smallest}x{smallest} pixels; mlp takes any shape."
        )
