"""Breast cancer: 569 tumours, malignant (0) or benign (1), by 30 measurements of cell nuclei (chapter 1).

Two classes, nearly linearly separable.
"""

from sklearn.datasets import load_breast_cancer

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets._tabular import tabular

CARD = Card(
    task="binary",
    chapter=1,
    citation="Wolberg et al. (1993), Breast Cancer Wisconsin (Diagnostic), UCI; doi:10.24432/C5DW2B",
    input_shape=(30,),
    num_outputs=1,
    tags=("table", "embedded"),
    ranges={"seed": "[0, inf)"},
    source="sklearn:breast_cancer",
)


def build(*, seed: int = 0) -> Dataset:
    """Loads the set, x [examples, 30] float32 with mean 0 and deviation 1 over the training split.

    Args:
        seed: Fixes which examples are for training, validation and testing.
    """
    bunch = load_breast_cancer()
    return tabular(bunch.data, bunch.target, seed, "binary", tuple(str(name) for name in bunch.target_names))
