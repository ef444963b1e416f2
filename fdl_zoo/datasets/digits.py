"""Digits: 1,797 handwritten digits of 8x8 pixels, which come inside scikit-learn (chapter 3, instead of MNIST)."""

from typing import Literal

from sklearn.datasets import load_digits

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Normalization, Split, split_indices
from fdl_zoo.datasets._augment import augmented

CARD = Card(
    task="classification",
    chapter=3,
    citation="Alpaydin and Kaynak (1998), Optical recognition of handwritten digits, UCI; doi:10.24432/C50P49",
    input_shape=(8, 8, 1),
    num_outputs=10,
    tags=("images", "embedded"),
    ranges={"enlarge": "[1, inf)", "seed": "[0, inf)"},
    source="sklearn:digits",
)


def build(
    *, enlarge: int = 1, augment: tuple[Literal["flip", "shift", "brightness"], ...] = (), seed: int = 0
) -> Dataset:
    """Loads the digits, x [examples, 8, 8, 1] float32 in [0, 1], of which 80 % are for training, 10 % for each other.

    Args:
        enlarge: How often each pixel is repeated along height and width, for models that need larger images.
        augment: Changes made to training images, anew in each epoch.
        seed: Fixes which images are for training, validation and testing, and the changes.
    """
    bunch = load_digits()
    normalization = Normalization(0, 16)
    x = normalization(bunch.images[..., None])  # [examples, height, width, channels]
    x = x.repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    parts = [Split(x[indices], bunch.target[indices]) for indices in split_indices(len(x), seed)]
    class_names = tuple(str(name) for name in bunch.target_names)
    data = Dataset(*parts, x.shape[1:], 10, "classification", class_names, normalization)
    return augmented(data, augment, seed)
