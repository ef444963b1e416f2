"""Digits by rows: each 8x8 image as a sequence of 8 rows, for the recurrent models (chapter 7)."""

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Split
from fdl_zoo.datasets import digits

CARD = Card(
    task="classification",
    chapter=7,
    citation="Alpaydin and Kaynak (1998), Optical recognition of handwritten digits, UCI; doi:10.24432/C50P49",
    input_shape=(8, 8),
    num_outputs=10,
    tags=("sequence", "embedded"),
    ranges={"seed": "[0, inf)"},
    source="sklearn:digits",
)


def build(*, seed: int = 0) -> Dataset:
    """Loads the digits, x [examples, 8 rows, 8 pixels] float32 in [0, 1]; the splits are those of `digits`.

    Args:
        seed: Fixes which images are for training, validation and testing.
    """
    images = digits.build(seed=seed)
    parts = [Split(split.x[..., 0], split.y) for split in images.splits.values()]  # [examples, rows, pixels]
    return Dataset(*parts, (8, 8), 10, images.task, images.class_names, images.normalization)
