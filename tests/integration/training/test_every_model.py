"""Every model trains for an epoch on the dataset of its first recipe, as `fdl train NAME --epochs 1` does."""

import math

import pytest

import fdl_zoo as fdl
from fdl_zoo import catalogue
from fdl_zoo.training.progress import Silent

BOOK_SIZED = ("alexnet", "vgg", "vgg11", "vgg16")  # tens of millions of weights: minutes and gigabytes each
NAMES = [
    pytest.param(name, marks=pytest.mark.long if name in BOOK_SIZED else ())
    for name in catalogue.models.names(origin="fdl_zoo")
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_epoch_on_its_default_dataset_ends_well(name, tmp_path):
    run = fdl.train(name, epochs=1, root=tmp_path, progress=Silent(), settings=["tracking.enabled=false"])
    assert run.status == "FINISHED"
    assert run.history["epoch"] == [1]
    assert {"test_loss", "best_test_loss"} <= run.metrics.keys()
    assert all(map(math.isfinite, run.metrics.values())), run.metrics
