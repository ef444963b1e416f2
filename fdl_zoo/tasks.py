"""The tasks that a model can be trained for: what its targets are, its loss, and what is reported of it."""

from dataclasses import dataclass


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
