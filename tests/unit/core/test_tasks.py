"""Which way a metric goes is told by its name, as each of Keras's own metrics says of itself."""

import inspect

import keras
import pytest

from fdl_zoo.tasks import higher_is_better

OPTIONS = {
    "num_classes": 2, "target_class_ids": [0], "specificity": 0.5, "sensitivity": 0.5, "recall": 0.5, "precision": 0.5,
    "fn": max,
}  # fmt: skip


def directed() -> dict[str, str]:
    """Keras's metrics that say which way they go, by their names."""
    found = {}
    for name, kind in inspect.getmembers(keras.metrics, inspect.isclass):
        needed = [
            each.name
            for each in inspect.signature(kind).parameters.values()
            if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
        ]
        metric = kind(**{each: OPTIONS[each] for each in needed}) if name != "Metric" else None
        if getattr(metric, "_direction", None):
            found[metric.name] = metric._direction
    return found


def test_it_goes_the_way_that_keras_says():
    known = directed()
    assert len(known) > 30
    for name, direction in known.items():
        assert higher_is_better(f"val_{name}") is (direction == "up"), name


@pytest.mark.parametrize("name", ["val_loss", "loss", "test_loss"])
def test_a_loss_is_better_when_it_is_lower(name):
    assert not higher_is_better(name)
