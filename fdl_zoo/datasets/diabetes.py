"""Diabetes: 442 patients, ten measurements, and how far the disease progressed after a year (chapter 2).

Regression: the target lies between 25 and 346 and is not scaled.
"""

import numpy as np
from sklearn.datasets import load_diabetes

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset
from fdl_zoo.datasets._tabular import tabular

CARD = Card(
    task="regression",
    chapter=2,
    citation="Efron et al. (2004), Least angle regression",
    input_shape=(10,),
    num_outputs=1,
    tags=("table", "embedded"),
    ranges={"seed": "[0, inf)"},
    source="sklearn:diabetes",
)


def build(*, seed: int = 0) -> Dataset:
    """Loads the set, x [examples, 10] float32 with mean 0 and deviation 1 over the training split.

    Args:
        seed: Fixes which examples are for training, validation and testing.
    """
    bunch = load_diabetes(scaled=False)  # scaled, it would be normalized over the test split too
    return tabular(bunch.data, bunch.target[:, None].astype(np.float32), seed, "regression")
