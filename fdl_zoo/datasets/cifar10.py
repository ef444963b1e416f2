"""CIFAR-10: 60,000 colour pictures of ten kinds of things, 32x32 pixels (chapter 5)."""

from typing import Literal

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets import _tfds
from fdl_zoo.datasets._augment import augmented

CARD = Card(
    task="classification",
    chapter=5,
    citation="Krizhevsky (2009), Learning multiple layers of features from tiny images",
    input_shape=(32, 32, 3),
    num_outputs=10,
    tags=("images", "tfds"),
    ranges={"seed": "[0, inf)"},
    source="tfds:cifar10:3.0.2",
)
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def build(
    *,
    augment: tuple[Literal["flip", "shift", "brightness"], ...] = (),
    data_dir: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Loads CIFAR-10, x [examples, 32, 32, 3] float32 in [0, 1]; 5,000 training images are for validation.

    Args:
        augment: Changes made to training images, anew in each epoch.
        data_dir: The folder in which TensorFlow Datasets keeps prepared sets.
        seed: Fixes which training images are for validation, and the changes.

    Raises:
        InvalidData: It is neither prepared nor reachable.
    """
    return augmented(_tfds.images(CARD.source, data_dir, seed, 10, CLASS_NAMES), augment, seed)
