"""Wine: 178 wines of three growers, by 13 chemical measurements (chapter 1).

The measurements differ by orders of magnitude: without normalization the error surface is ill-conditioned.
"""

from sklearn.datasets import load_wine

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets._tabular import tabular

CARD = Card(
    task="classification",
    chapter=1,
    citation="Aeberhard and Forina (1991), UCI; doi:10.24432/C5PC7J",
    input_shape=(13,),
    num_outputs=3,
    tags=("table", "embedded"),
    ranges={"seed": "[0, inf)"},
    source="sklearn:wine",
)


def build(*, seed: int = 0) -> Dataset:
    """Loads the set, x [examples, 13] float32 with mean 0 and deviation 1 over the training split.

    Args:
        seed: Fixes which examples are for training, validation and testing.
    """
    bunch = load_wine()
    return tabular(bunch.data, bunch.target, seed, "classification", tuple(str(name) for name in bunch.target_names))
