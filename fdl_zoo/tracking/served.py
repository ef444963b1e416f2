"""A model as its users see it: raw units in, probabilities out (values for regression)."""

from typing import Any

import keras
import numpy as np
from keras import ops

from fdl_zoo.data import Normalization


class ServedModel(keras.Model):
    """A trained model between the dataset's normalization and the function that its task's logits need.

    Args:
        model: A model that outputs logits, or values.
        normalization: How raw units became the model's inputs.
        task: `classification` gives a softmax over the last axis, `binary` a sigmoid, every other task the values.
        precision: Of the normalization; LiteRT has no division in float64.
    """

    def __init__(self, model: keras.Model, normalization: Normalization, task: str, precision: str = "float64") -> None:
        super().__init__(name="served")
        self.model, self.precision = model, precision
        self._mean, self._scale = (np.asarray(each, np.float64) for each in (normalization.mean, normalization.scale))
        self._last = {"classification": ops.softmax, "binary": ops.sigmoid}.get(task, lambda values: values)

    def call(self, raw: Any) -> Any:
        """Raw examples [batch, ...] to probabilities or values [batch, outputs], float32."""
        outputs = self.model(self._normalized(raw), training=False)
        return self._last(ops.cast(outputs, "float32"))

    def _normalized(self, raw: Any) -> Any:
        if not self._mean.any() and (self._scale == 1).all():
            return ops.cast(raw, self.model.inputs[0].dtype)
        # In float64 and divided, as `Normalization` does it, so that both give the same bits.
        mean, scale = (ops.convert_to_tensor(each, self.precision) for each in (self._mean, self._scale))
        return ops.cast(ops.divide(ops.subtract(ops.cast(raw, self.precision), mean), scale), "float32")
