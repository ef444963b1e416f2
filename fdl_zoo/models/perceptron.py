"""Linear perceptron: two classes on either side of the hyperplane where a weighted sum is zero (chapter 1).

The sum is the logit: class 1 where it is positive. Trained on cross-entropy it moves the hyperplane as the perceptron's
rule does, but by how wrong an example is instead of whether it is.
"""

import keras

from fdl_zoo.card import Card, Recipe, Reference, Weights
from fdl_zoo.models import _layers

CARD = Card(
    task="binary",
    chapter=1,
    citation="Rosenblatt (1958), The perceptron, Psychological Review 65",
    input_shape=(30,),
    num_outputs=1,
    num_params=30 + 1,
    tags=("dense", "convex"),
    ranges={"l1": "[0, inf)", "l2": "[0, inf)"},
    recipes={
        "breast_cancer": Recipe(
            {"name": "adam", "learning_rate": 0.01},
            batch_size=32,
            epochs=50,
            reference=Reference(
                "test_accuracy", 0.959, tolerance=0.03, command="fdl train perceptron --data breast_cancer"
            ),
        )
    },
    weights={
        "breast_cancer": Weights(
            "weights/perceptron-breast_cancer.weights.h5",
            sha256="8c7c6ec3a71d5c4741694a37a506789924be8b38b3e52916b1e81f248812eb72",
            metric="test_accuracy",
            value=0.9649,
            command="fdl train perceptron --data breast_cancer --seed 0 --precision float64 --devices cpu:0"
            " --set jit=false",
        )
    },
)


def build(
    input_shape: tuple[int, ...] = (30,), num_outputs: int = 1, *, l1: float = 0.0, l2: float = 0.0
) -> keras.Model:
    """Builds the model; its weights start at zero: the loss is convex.

    Args:
        input_shape: Shape of one example; it is flattened.
        num_outputs: One logit for two classes.
        l1: Weight of the sum of absolute weights in the loss.
        l2: Weight of the sum of squared weights in the loss.
    """
    return _layers.single_layer("perceptron", input_shape, num_outputs, l1, l2)
