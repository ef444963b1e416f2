"""What a model gives for the examples of a split, batch by batch, so that memory stays that of the outputs."""

from typing import Any

import numpy as np

from fdl_zoo.analysis.outcome import Outcome
from fdl_zoo.data import Dataset, Split

BATCH = 256


def outputs_of(model: Any, inputs: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """Logits or values [examples, ...] of a model for its own inputs [examples, ...]."""
    forward = _forward(model)
    return np.concatenate([forward(inputs[start : start + batch]) for start in range(0, len(inputs), batch)])


def outcome_of(model: Any, data: Dataset, split: str, batch: int = BATCH) -> Outcome:
    """The model's answers on a split of a dataset.

    Args:
        model: A built `keras.Model` that outputs logits or values.
        data: The dataset.
        split: `train`, `validation` or `test`.
        batch: Examples per step.
    """
    part, forward = data.splits[split], _forward(model)
    found = []
    for rows in _rows(part, batch):
        x, y = part.take(rows)
        found.append((forward(x), y))
    outputs, targets = (np.concatenate(each) for each in zip(*found, strict=True))
    return Outcome(data.task, outputs, targets, tuple(data.class_names))


def _rows(part: Split, batch: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + batch, len(part))) for start in range(0, len(part), batch)]


def _forward(model: Any) -> Any:
    """The model as one compiled function of a batch of any length; no training, no metrics."""
    import tensorflow as tf

    shape, kind = model.inputs[0].shape, model.inputs[0].dtype
    function = tf.function(lambda x: model(x, training=False), autograph=False)
    # One concrete function: TensorFlow would warn of several models in one process as of one that is traced again.
    compiled = function.get_concrete_function(tf.TensorSpec(shape, kind))
    return lambda x: compiled(tf.convert_to_tensor(x, kind)).numpy().astype(np.float64)
