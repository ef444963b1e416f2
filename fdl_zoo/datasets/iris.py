"""Iris: 150 flowers of three species, by length and width of sepals and petals (chapter 1).

One species is linearly separable from the others, which are not from each other.
"""

from sklearn.datasets import load_iris

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets._tabular import tabular

CARD = Card(
    task="classification",
    chapter=1,
    citation="Fisher (1936), The use of multiple measurements in taxonomic problems",
    input_shape=(4,),
    num_outputs=3,
    tags=("table", "embedded"),
    ranges={"seed": "[0, inf)"},
    source="sklearn:iris",
)


def build(*, seed: int = 0) -> Dataset:
    """Loads the set, x [examples, 4] float32 with mean 0 and deviation 1 over the training split.

    Args:
        seed: Fixes which examples are for training, validation and testing.
    """
    bunch = load_iris()
    return tabular(bunch.data, bunch.target, seed, "classification", tuple(str(name) for name in bunch.target_names))
