"""The tasks that a model can be trained for: what its targets are, its loss, and what is reported of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fdl_zoo.errors import InvalidOption


@dataclass(frozen=True)
class Task:
    """What follows from a task.

    Args:
        targets: What `y` holds.
        outputs: What the model gives per example.
        loss: The loss, by the name that `training.losses` and Keras know it under.
        metrics: The names under which metrics are recorded.
    """

    targets: str
    outputs: str
    loss: str
    metrics: tuple[str, ...]


TASKS = {
    "classification": Task("class index", "a logit per class", "sparse_categorical_crossentropy", ("accuracy",)),
    "binary": Task("0 or 1", "one logit", "binary_crossentropy", ("accuracy",)),
    "regression": Task("values", "values", "mean_squared_error", ("mean_absolute_error",)),
    "objective": Task("ignored", "one loss value per example", "mean_output", ()),
}


_HIGHER = (
    "acc", "auc", "precision", "recall", "sensitivity", "specificity", "f1", "fbeta", "iou", "io_u", "r2", "cosine",
    "correlation",
)  # fmt: skip


def higher_is_better(metric: str) -> bool:
    """Whether a metric grows as a model gets better, as Keras judges; by its name, for no model may be at hand."""
    return any(word in metric.lower() for word in _HIGHER) and "loss" not in metric


def loss_is_finite(model: Any, logs: Mapping[str, Any] | None) -> bool:
    """Whether training stands at a finite loss.

    Keras's loss is the mean of an epoch. A line search may have tried a point in it, and taken that back, where the
    loss is not finite: what counts is its accepted point.
    """
    accepted = getattr(model.optimizer, "accepted_loss", None)
    return math.isfinite((logs or {}).get("loss", 0.0) if accepted is None else accepted)


def check_fits(task: str, noun: str, name: str) -> None:
    """Refuse a loss or a metric that is made for other targets than the task's.

    Args:
        task: A name in `TASKS`.
        noun: `loss` or `metric`.
        name: Keras's name of it, in either spelling, or `accuracy`.

    Raises:
        InvalidOption: A class is given by its index, which Keras's sparse ones take; or there are no classes; or it
            takes probabilities where there is one logit.
    """
    if not _fits(task, name.lower().replace("_", "")):
        known = TASKS[task].loss if noun == "loss" else " or ".join(TASKS[task].metrics) or "none"
        raise InvalidOption(
            f"The {noun} {name!r} cannot be used for {task}, where the targets are {_named(TASKS[task].targets)}: the"
            f" {noun} for these is {known}."
        )


def _fits(task: str, name: str) -> bool:
    if task == "classification":
        return name == "accuracy" or name.startswith("sparse")
    if task == "binary":
        return "categorical" not in name and not name.startswith(("f1score", "fbetascore"))
    return "categorical" not in name and name != "accuracy"


def _named(targets: str) -> str:
    return "indices of classes" if targets == "class index" else targets
