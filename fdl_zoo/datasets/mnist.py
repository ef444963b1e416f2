"""MNIST: 70,000 handwritten digits of 28x28 pixels, the book's running example (chapter 3).

60,000 come for training, of which 5,000 are kept for validation as in the book, and 10,000 for testing.
"""

from typing import Literal

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets import _tfds
from fdl_zoo.datasets._augment import augmented

CARD = Card(
    task="classification",
    chapter=3,
    citation="LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition",
    input_shape=(28, 28, 1),
    num_outputs=10,
    tags=("images", "tfds"),
    ranges={"seed": "[0, inf)"},
    source="tfds:mnist:3.0.1",
)


def build(
    *,
    augment: tuple[Literal["flip", "shift", "brightness"], ...] = (),
    data_dir: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Loads MNIST, x [examples, 28, 28, 1] float32 in [0, 1].

    Args:
        augment: Changes made to training images, anew in each epoch.
        data_dir: The folder in which TensorFlow Datasets keeps prepared sets.
        seed: Fixes which training images are for validation, and the changes.

    Raises:
        InvalidData: It is neither prepared nor reachable.
    """
    return augmented(_tfds.images(CARD.source, data_dir, seed, 12, tuple("0123456789")), augment, seed)
