"""Logistic regression: softmax of Wx + b, one layer of weights from pixels to classes (chapter 3).

It outputs the logits Wx + b: the softmax is part of the loss, which the notes found to work better.

The recipe for digits was chosen on the validation split alone, over five seeds: of rates from 0.001 to 0.1, batches of
32 and 100 and 10 to 100 epochs it has the highest mean accuracy (0.984), and of those with the same the least
cross-entropy (0.042). Accuracy there moves in steps of 1/180: rates of 0.01 to 0.1 are all within 0.01 of each other.
"""

import keras

from fdl_zoo.card import Card, Recipe, Reference, Weights
from fdl_zoo.models import _layers

CARD = Card(
    task=("classification", "binary", "regression"),
    chapter=3,
    citation="Buduma (2017), Fundamentals of Deep Learning, chapter 3",
    input_shape=(28, 28, 1),
    num_outputs=10,
    num_params=784 * 10 + 10,
    tags=("dense", "convex"),
    ranges={"l1": "[0, inf)", "l2": "[0, inf)"},
    recipes={
        "digits": Recipe(
            {"name": "adam", "learning_rate": 0.01},
            batch_size=32,
            epochs=100,
            reference=Reference(
                "test_accuracy", 0.984, tolerance=0.012, command="fdl train logistic_regression --data digits"
            ),
        ),
        "mnist": Recipe({"name": "sgd", "learning_rate": 0.01}, batch_size=100, epochs=1000),
    },
    weights={
        "digits": Weights(
            "weights/logistic_regression-digits.weights.h5",
            sha256="f527e49212843d424b299c6eccf46557dcd156158b3b809589ee583f48554783",
            metric="test_accuracy",
            value=0.9833,
            command="fdl train logistic_regression --data digits --seed 0 --precision float64 --devices cpu:0"
            " --set jit=false",
        )
    },
)


def build(
    input_shape: tuple[int, ...] = (28, 28, 1), num_outputs: int = 10, *, l1: float = 0.0, l2: float = 0.0
) -> keras.Model:
    """Builds the model; its weights start at zero, as in the book: the loss is convex.

    Args:
        input_shape: Shape of one example; it is flattened.
        num_outputs: Number of classes.
        l1: Weight of the sum of absolute weights in the loss.
        l2: Weight of the sum of squared weights in the loss.
    """
    return _layers.single_layer("logistic_regression", input_shape, num_outputs, l1, l2)
