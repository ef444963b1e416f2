"""Fashion-MNIST: 70,000 pictures of clothes of 28x28 pixels, harder than MNIST and of its shape (chapter 5)."""

from typing import Literal

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets import _tfds
from fdl_zoo.datasets._augment import augmented

CARD = Card(
    task="classification",
    chapter=5,
    citation="Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747",
    input_shape=(28, 28, 1),
    num_outputs=10,
    tags=("images", "tfds"),
    ranges={"seed": "[0, inf)"},
    source="tfds:fashion_mnist:3.0.1",
)
CLASS_NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def build(
    *,
    augment: tuple[Literal["flip", "shift", "brightness"], ...] = (),
    data_dir: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Loads Fashion-MNIST, x [examples, 28, 28, 1] float32 in [0, 1]; 5,000 training images are for validation.

    Args:
        augment: Changes made to training images, anew in each epoch.
        data_dir: The folder in which TensorFlow Datasets keeps prepared sets.
        seed: Fixes which training images are for validation, and the changes.

    Raises:
        InvalidData: It is neither prepared nor reachable.
    """
    return augmented(_tfds.images(CARD.source, data_dir, seed, 12, CLASS_NAMES), augment, seed)
