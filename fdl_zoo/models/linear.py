"""Linear neuron: a weighted sum of the inputs plus a bias, fitted to values by the delta rule (chapters 1 and 2).

On squared error, gradient descent is the delta rule: each weight moves by the learning rate times input times residual.
"""

import keras

from fdl_zoo.card import Card, Recipe, Weights
from fdl_zoo.models import _layers

CARD = Card(
    task="regression",
    chapter=1,
    citation="Widrow and Hoff (1960), Adaptive switching circuits (the delta rule)",
    input_shape=(10,),
    num_outputs=1,
    num_params=10 + 1,
    tags=("dense", "convex"),
    ranges={"l1": "[0, inf)", "l2": "[0, inf)"},
    recipes={"diabetes": Recipe({"name": "sgd", "learning_rate": 0.01}, batch_size=32, epochs=30)},
    weights={
        "diabetes": Weights(
            "weights/linear-diabetes.weights.h5",
            sha256="1c22b2ef76a64c2380e3fef3c0aad1eaf48fb0ecc5cd946d5c06996229797768",
            metric="test_mean_absolute_error",
            value=47.3803,
            command="fdl train linear --data diabetes --seed 0 --precision float64 --devices cpu:0 --set jit=false",
        )
    },
)


def build(
    input_shape: tuple[int, ...] = (10,), num_outputs: int = 1, *, l1: float = 0.0, l2: float = 0.0
) -> keras.Model:
    """Builds the model; its weights start at zero: the loss is convex.

    Args:
        input_shape: Shape of one example; it is flattened.
        num_outputs: Number of values, each with its own neuron.
        l1: Weight of the sum of absolute weights in the loss.
        l2: Weight of the sum of squared weights in the loss.
    """
    return _layers.single_layer("linear", input_shape, num_outputs, l1, l2)
