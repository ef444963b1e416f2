"""A noisy quadratic bowl whose parameters are the point itself, as steep and as flat as a deep network (chapter 4).

For an example x the model's output is the loss 1/2 (theta - x)^T Q (theta - x): nine tenths of the eigenvalues of Q lie
in (0, 1), one tenth in (30, 60), rotated at random. With 100 dimensions and the seed 42, Q is DeepOBS's
`quadratic_deep`. What an optimizer does on an ill-conditioned surface shows here in milliseconds and without data.
"""

import keras
import numpy as np
from keras import ops

from fdl_zoo.card import Card, Recipe
from fdl_zoo.errors import InvalidData

CARD = Card(
    task="objective",
    chapter=4,
    citation="Schneider, Balles and Hennig (2019), DeepOBS, arXiv:1903.05499",
    input_shape=(100,),
    num_outputs=1,
    num_params=100,
    tags=("benchmark", "convex"),
    ranges={"seed": "[0, 4294967295]"},
    recipes={
        "quadratic_deep": Recipe(
            optimizer={"name": "sgd", "learning_rate": 0.0158},
            batch_size=128,
            epochs=100,
            drop_remainder=True,
        ),
    },
)


def random_rotation(size: int, random: np.random.RandomState) -> np.ndarray:
    """A rotation [size, size], uniform over all of them: the subgroup algorithm of Diaconis and Shahshahani (1987).

    A rotation of the plane is carried one dimension up at a time, each time followed by the reflection that takes the
    first axis to a random direction.

    Args:
        size: Number of dimensions, at least 2.
        random: The order of its draws is part of the result.
    """
    angle = 2 * np.pi * random.uniform()
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for dimensions in range(3, size + 1):
        direction = random.normal(size=dimensions)
        direction /= np.linalg.norm(direction)
        mirror = np.eye(dimensions)[0] - direction
        mirror /= np.linalg.norm(mirror)
        lifted = np.eye(dimensions)
        lifted[1:, 1:] = rotation
        rotation = lifted - 2 * np.outer(mirror, mirror @ lifted)
    return -rotation


def hessian(size: int, seed: int) -> np.ndarray:
    """The matrix Q [size, size] in float64: a fixed constant of the problem, in DeepOBS's order of draws."""
    random = np.random.RandomState(seed)  # DeepOBS's own generator, or Q would be another matrix
    steep = max(1, size // 10)
    eigenvalues = np.concatenate([random.uniform(0.0, 1.0, size - steep), random.uniform(30.0, 60.0, steep)])
    rotation = random_rotation(size, random)
    return rotation.T @ (eigenvalues[:, None] * rotation)


@keras.saving.register_keras_serializable(package="fdl_zoo", name="quadratic_bowl")
class QuadraticBowl(keras.layers.Layer):
    """Holds theta [size], which starts at 1, and gives each example's loss."""

    def __init__(self, seed: int = 42, **kwargs) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make theta and the constant matrix."""
        self.theta = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="theta")
        self.matrix = hessian(input_shape[-1], self.seed)

    def call(self, x):
        """Inputs [batch, size] to losses [batch, 1]."""
        difference = self.theta - x  # [batch, size]
        product = ops.matmul(difference, ops.convert_to_tensor(self.matrix, difference.dtype))  # [batch, size]
        return 0.5 * ops.sum(difference * product, axis=-1, keepdims=True)

    def get_config(self) -> dict:
        """The seed, as a plain value."""
        return {**super().get_config(), "seed": self.seed}


def build(input_shape: tuple[int, ...] = (100,), num_outputs: int = 1, *, seed: int = 42) -> keras.Model:
    """The noisy quadratic: examples [batch, size] to losses [batch, 1].

    Args:
        input_shape: The number of dimensions, at least 2.
        num_outputs: The loss is one value.
        seed: Seed of the matrix; 42 is DeepOBS's.

    Raises:
        InvalidData: Examples are no vectors, or more than one output is asked for.
    """
    if len(input_shape) != 1 or input_shape[0] < 2 or num_outputs != 1:
        raise InvalidData(
            f"quadratic cannot take examples of shape {tuple(input_shape)} and give {num_outputs} outputs: it takes "
            "vectors of at least 2 numbers and gives one loss; the dataset quadratic_deep fits."
        )
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, QuadraticBowl(seed, name="bowl")(inputs), name="quadratic")
