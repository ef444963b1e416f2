"""The loss of a model over a split as a function of its parameters: value, gradient and Hessian times vector.

It is what chapter 4 draws and bends: the mean over all examples with the penalties on weights, in inference mode (no
dropout, fixed statistics of batch normalization), recomputed in float64 whatever the model was trained in.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidData

CHUNK = 1024  # examples that are computed at once


@contextmanager
def float64() -> Iterator[None]:
    """What is made inside computes in float64: Keras's losses go by its global float type."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def in_float64(model: keras.Model) -> keras.Model:
    """A copy of a compiled model, with its weights and its loss, that computes in float64.

    Raises:
        InvalidData: The model is not compiled, or a layer of it keeps weights in another type.
    """
    if not model.compiled or model.loss is None:
        raise InvalidData(f"The loss of {model.name} cannot be computed: the model is not compiled; compile it first.")
    loss = model.loss
    with float64():
        config = keras.saving.serialize_keras_object(model)
        config.pop("compile_config", None)
        copy = keras.saving.deserialize_keras_object(_in_policy(config), safe_mode=True)
        if isinstance(loss, keras.losses.Loss):
            loss = keras.losses.deserialize(keras.losses.serialize(loss))
        copy.compile(loss=loss)
    copy.set_weights(model.get_weights())
    for weight in copy.trainable_variables:
        if weight.dtype != "float64":
            raise InvalidData(
                f"The loss of {model.name} cannot be computed in float64: {weight.path} stays {weight.dtype}; its layer"
                " must take the dtype that Keras gives it."
            )
    return copy


def _in_policy(config: Any) -> Any:
    """A serialized object whose dtype policies are float64; the types of inputs stay."""
    if isinstance(config, Mapping):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {**config["config"], "name": "float64"}}
        return {key: _in_policy(value) for key, value in config.items()}
    return [_in_policy(value) for value in config] if isinstance(config, list | tuple) else config


class Objective:
    """The loss over a split, as a function of the trainable parameters in one vector.

    Args:
        model: A compiled model; a copy of it is made, and stays as it was given.
        split: The examples.
        chunk: How many are computed at once; it does not change the result.

    Attributes:
        size: Number of parameters.
        start: The model's own parameters [size].
    """

    def __init__(self, model: keras.Model, split: Split, chunk: int = CHUNK) -> None:
        self.model = in_float64(model)
        self.variables = [variable.value for variable in self.model.trainable_variables]
        self.shapes = [tuple(variable.shape) for variable in self.variables]
        self.size = sum(int(np.prod(shape)) for shape in self.shapes)
        self.start = flat(self.model.get_weights(), self.model)
        x, y = split.take(np.arange(len(split)))
        self._x, self._y = tf.constant(x), tf.constant(y)
        self._chunk = min(chunk, len(split))
        with float64():
            self._value = self._compiled(self._chunk_value, 1, 1)
            self._gradient = self._compiled(self._chunk_gradient, 1, 2)
            self._product = self._compiled(self._chunk_product, 2, 1)

    def value(self, parameters: np.ndarray) -> float:
        """The loss at parameters [size]."""
        return float(self._call(self._value, parameters)[0])

    def gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss at parameters [size], and its gradient [size]."""
        value, gradient = self._call(self._gradient, parameters)
        return float(value), gradient.numpy()

    def hessian_product(self, parameters: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """The Hessian at parameters [size], times a direction [size]: [size]."""
        return self._call(self._product, parameters, direction)[0].numpy()

    def set_state(self, weights: Sequence[np.ndarray]) -> None:
        """Take the state that is no parameter (statistics of batch normalization) from all weights of the model."""
        for variable, value in zip(self.model.weights, weights, strict=True):
            if not variable.trainable:
                variable.assign(value)

    def _call(self, function: Callable, *vectors: np.ndarray) -> Any:
        with float64():  # the first call traces
            return function(*(tf.constant(vector, tf.float64) for vector in vectors))

    def _compiled(self, of_chunk: Callable, vectors: int, results: int) -> Callable:
        """The mean over chunks as one graph: a loop whose body is `of_chunk`."""

        @tf.function(input_signature=[tf.TensorSpec([self.size], tf.float64)] * vectors, autograph=False)
        def mean(parameters: tf.Tensor, *directions: tf.Tensor) -> Any:
            for variable, value in zip(self.variables, self._parts(parameters), strict=True):
                variable.assign(value)
            count = len(self._x)

            def body(start: tf.Tensor, *sums: tf.Tensor) -> tuple[Any, ...]:
                x, y = self._x[start : start + self._chunk], self._y[start : start + self._chunk]
                share = tf.cast(tf.shape(x)[0], tf.float64) / count
                found = of_chunk(x, y, *directions)
                return start + self._chunk, *(total + share * each for total, each in zip(sums, found, strict=True))

            zeros = {1: tf.constant(0.0, tf.float64), 2: tf.zeros_like(parameters)}
            first = (zeros[2],) if vectors == 2 else (zeros[1], zeros[2])[:results]
            return tf.while_loop(lambda start, *_: start < count, body, (0, *first), parallel_iterations=1)[1:]

        return mean

    def _parts(self, vector: tf.Tensor) -> list[tf.Tensor]:
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        return [tf.reshape(part, shape) for part, shape in zip(tf.split(vector, sizes), self.shapes, strict=True)]

    def _chunk_value(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor]:
        found = self.model.compute_loss(x=x, y=y, y_pred=self.model(x, training=False), training=False)
        return (tf.cast(found, tf.float64),)

    def _chunk_gradient(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            (value,) = self._chunk_value(x, y)
        return value, self._flat(tape.gradient(value, self.variables, unconnected_gradients="zero"))

    def _chunk_product(self, x: tf.Tensor, y: tf.Tensor, direction: tf.Tensor) -> tuple[tf.Tensor]:
        """Backward over backward: the gradient of gradient times direction."""
        with tf.GradientTape() as tape:
            _, gradient = self._chunk_gradient(x, y)
            slope = tf.tensordot(gradient, direction, 1)
        return (self._flat(tape.gradient(slope, self.variables, unconnected_gradients="zero")),)

    def _flat(self, tensors: list[tf.Tensor]) -> tf.Tensor:
        return tf.concat([tf.reshape(tf.convert_to_tensor(tensor), [-1]) for tensor in tensors], 0)


def flat(weights: Sequence[np.ndarray], model: keras.Model) -> np.ndarray:
    """The trainable ones of all weights of a model, in one vector of float64."""
    kept = {id(variable) for variable in model.trainable_variables}
    parts = [
        np.asarray(weight, np.float64).ravel()
        for weight, variable in zip(weights, model.weights, strict=True)
        if id(variable) in kept
    ]
    return np.concatenate(parts)
