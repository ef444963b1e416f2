"""What data must be before a model is trained on them; each fault gets one sentence. Needs NumPy and nothing else."""

import numpy as np

from fdl_zoo.data import Dataset, Split
from fdl_zoo.errors import InvalidData


def check(data: Dataset, name: str) -> None:
    """Checks sizes, inputs and targets of a dataset; of what lies on disk, the sizes, and targets where they are known.

    Args:
        data: The dataset.
        name: Its name, for the message.

    Raises:
        InvalidData: A split is empty, a value is not finite, or targets are not those of the task.
    """
    for part, split in data.splits.items():
        if len(split) == 0:
            raise InvalidData(f"{name} cannot be used: its {part} split is empty; give more examples.")
        where = f"{name} cannot be used: its {part} split"
        if split.x is not None:
            _inputs(split, data, where)
        if split.known_targets is not None:
            _targets(split.known_targets, data, where)
    _several_classes(data, name)


def _inputs(split: Split, data: Dataset, where: str) -> None:
    if split.x.shape[1:] != tuple(data.input_shape):
        raise InvalidData(f"{where} has examples of shape {split.x.shape[1:]}, where {data.input_shape} is stated.")
    _finite(split.x, where, "inputs")


def _finite(values: np.ndarray, where: str, what: str) -> None:
    if values.dtype.kind not in "fiub":
        raise InvalidData(f"{where} has {what} of type {values.dtype}: give numbers.")
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise InvalidData(
            f"{where} has NaN or infinity in the {what} of example {int(bad.argmax())} and {int(bad.sum())} "
            "altogether; leave these examples out or fill their gaps."
        )


def _targets(targets: np.ndarray, data: Dataset, where: str) -> None:
    if data.task == "regression":
        _finite(targets, where, "targets")
    elif data.task in ("classification", "binary"):
        classes = data.num_outputs if data.task == "classification" else 2
        if targets.dtype.kind not in "iub":
            raise InvalidData(f"{where} has targets of type {targets.dtype}, where {data.task} needs class indices.")
        outside = (targets < 0) | (targets >= classes)
        if outside.any():
            example = int(outside.reshape(len(targets), -1).any(axis=1).argmax())
            raise InvalidData(
                f"{where} has the label {targets[outside].flat[0]} in example {example}, outside 0 to {classes - 1}; "
                f"{data.task} needs class indices that count from 0."
            )


def _several_classes(data: Dataset, name: str) -> None:
    labels = data.train.known_targets
    if data.task in ("classification", "binary") and labels is not None and (labels == labels.flat[0]).all():
        raise InvalidData(
            f"{name} cannot be used: all {len(labels)} training examples are of class {labels.flat[0]}; "
            "a classifier needs examples of at least two."
        )
