"""Metrics of a model on a dataset by their definitions, in NumPy and float64: what a card's figures are held to."""

from typing import Any

import numpy as np

from fdl_zoo.data import Dataset, Split
from fdl_zoo.testing.check import require

SPLITS = {"train": "train", "val": "validation", "test": "test"}
BLOCK = 1024


def metric_of(model: Any, data: Dataset, name: str) -> float:
    """A metric by the name that it is recorded under, such as `test_accuracy` or `val_loss`.

    Args:
        model: A `keras.Model` that gives logits or values.
        data: What it is measured on.
        name: `train_`, `val_` or `test_`, and `loss`, `accuracy` or `mean_absolute_error`.

    Raises:
        AssertionError: There is no such metric of this task.
    """
    prefix, _, metric = name.partition("_")
    require(prefix in SPLITS, f"there is no metric {name!r}: it begins with {', '.join(SPLITS)}.")
    outputs, targets = outputs_of(model, data.splits[SPLITS[prefix]])
    found = _measured(outputs, targets, data.task)
    require(metric in found, f"there is no metric {name!r} for {data.task}: there is {', '.join(found)}.")
    return found[metric] + (float(sum(model.losses)) if metric == "loss" else 0.0)


def outputs_of(model: Any, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Outputs [examples, outputs] in float64, and the targets of a whole split, read in blocks."""
    blocks = [split.take(np.arange(start, min(start + BLOCK, len(split)))) for start in range(0, len(split), BLOCK)]
    outputs = [np.asarray(model(x, training=False), np.float64) for x, _ in blocks]
    return np.concatenate(outputs), np.concatenate([y for _, y in blocks])


def _measured(outputs: np.ndarray, targets: np.ndarray, task: str) -> dict[str, float]:
    """Loss and metrics of a task, each the mean over the examples."""
    if task == "classification":
        logits = outputs[np.arange(len(targets)), targets]
        loss = np.logaddexp.reduce(outputs, axis=1) - logits
        return {"loss": loss.mean(), "accuracy": np.mean(outputs.argmax(axis=1) == targets)}
    targets = targets.reshape(outputs.shape)
    if task == "binary":
        loss = np.logaddexp(0, outputs) - targets * outputs
        return {"loss": loss.mean(), "accuracy": np.mean((outputs > 0) == targets)}
    if task == "regression":
        return {"loss": np.mean((outputs - targets) ** 2), "mean_absolute_error": np.mean(abs(outputs - targets))}
    return {"loss": outputs.mean()}
