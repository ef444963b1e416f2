"""Maxout network: each neuron is the largest of several linear functions, so it learns its own nonlinearity.

Goodfellow, Warde-Farley, Mirza, Courville and Bengio (2013), Maxout Networks, ICML. A neuron i with k pieces computes
h_i(x) = max_j (x W_ij + b_ij) for j = 1, ..., k: a convex function of k straight pieces. Trained with dropout and
a bound on the norm of each piece's incoming weights, as in section 5 of the paper.
"""

import keras

from fdl_zoo.card import Card, Recipe, Reference

CARD = Card(
    task=("classification", "binary", "regression"),
    citation="Goodfellow et al. (2013), Maxout Networks, arXiv:1302.4389",
    input_shape=(8, 8, 1),
    num_outputs=10,
    num_params=64 * 2 * 64 + 2 * 64 + 64 * 2 * 64 + 2 * 64 + 64 * 10 + 10,
    tags=("dense",),
    ranges={"units": "[1, inf)", "pieces": "[1, inf)", "dropout": "[0, 1)", "max_norm": "(0, inf)"},
    recipes={
        "digits": Recipe(
            {"name": "adam", "learning_rate": 0.001},
            batch_size=32,
            epochs=30,
            reference=Reference("test_accuracy", 0.989, tolerance=0.012, command="fdl train maxout"),
        ),
    },
)


@keras.saving.register_keras_serializable(package="fdl-maxout")
class Maxout(keras.layers.Layer):
    """Neurons that are the largest of several linear functions: [batch, features] to [batch, units].

    Args:
        units: Neurons.
        pieces: Linear functions per neuron; with one the layer is linear.
        max_norm: Upper bound on the norm of each piece's incoming weights; None for no bound.
        **options: Those of every Keras layer.
    """

    def __init__(self, units, pieces=2, max_norm=None, **options):
        super().__init__(**options)
        self.units, self.pieces, self.max_norm = units, pieces, max_norm

    def build(self, input_shape):
        """Makes the weights [features, units * pieces], those of a neuron's pieces side by side, and the biases."""
        width = self.units * self.pieces
        bound = None if self.max_norm is None else keras.constraints.MaxNorm(self.max_norm)
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], width), initializer="he_normal", constraint=bound
        )
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros")

    def call(self, inputs):
        """The largest piece of each neuron."""
        pieces = keras.ops.matmul(inputs, self.kernel) + self.bias  # [batch, units * pieces]
        return keras.ops.max(keras.ops.reshape(pieces, (-1, self.units, self.pieces)), axis=-1)

    def compute_output_shape(self, input_shape):
        """[batch, units]."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The options as plain values."""
        return {**super().get_config(), "units": self.units, "pieces": self.pieces, "max_norm": self.max_norm}


def build(
    input_shape,
    num_outputs,
    *,
    units: tuple[int, ...] = (64, 64),
    pieces: int = 2,
    dropout: float = 0.2,
    max_norm: float | None = 3.0,
) -> keras.Model:
    """Builds the model.

    Args:
        input_shape: Shape of one example; it is flattened.
        num_outputs: Number of classes or values.
        units: Maxout neurons of each hidden layer.
        pieces: Linear functions of which a neuron takes the largest.
        dropout: Probability that a hidden neuron is set to zero in training.
        max_norm: Upper bound on the norm of each piece's incoming weights; None for no bound.
    """
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)  # [batch, features]
    for size in units:
        x = Maxout(size, pieces, max_norm)(x)  # [batch, size]
        if dropout:
            x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(num_outputs)(x), name="maxout")  # logits
