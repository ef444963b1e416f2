"""Lets a step count by the size of its share of a batch: its loss, or its gradients, are multiplied by a weight.

Sample weights would reach the loss alone, not its penalties, would be seen by metrics, and would have to fit the form
of the targets. What every training step does, Keras's or one's own, is to hand gradients to an optimizer, after it has
asked it to scale the loss, or without.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf


class _Here(threading.local):
    """What holds for the step that this thread traces: a strategy traces each replica's in a thread of its own."""

    weight: tf.Tensor | None = None
    scaled: frozenset[int] = frozenset()  # the optimizers that were asked to scale the loss


_here = _Here()


@contextmanager
def counted(weight: tf.Tensor) -> Iterator[None]:
    """Within, a step counts `weight` times, a scalar, with those optimizers that `counting` knows."""
    _here.weight, _here.scaled = weight, frozenset()
    try:
        yield
    finally:
        _here.weight = None


@contextmanager
def counting(model: keras.Model) -> Iterator[None]:
    """Within, the model's optimizers heed `counted`; also those that a model with a step of its own has beside one."""
    found = {id(each): each for each in (model.optimizer, *vars(model).values())}.values()
    with ExitStack() as stack:
        for optimizer in found:
            if isinstance(optimizer, keras.optimizers.Optimizer):  # a model that is only evaluated may have none
                stack.enter_context(_heeding(optimizer))
        yield


@contextmanager
def _heeding(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """The two methods through which loss and gradients go are the instance's own until the step has been traced."""
    scale_loss, apply = optimizer.scale_loss, optimizer.apply

    def scale_loss_counted(loss: tf.Tensor) -> Any:
        if _here.weight is None:
            return scale_loss(loss)
        _here.scaled |= {id(optimizer)}
        return scale_loss(_times(loss, _here.weight))

    def apply_counted(grads: Iterable[Any], trainable_variables: Any = None) -> Any:
        if _here.weight is None or id(optimizer) in _here.scaled:
            return apply(grads, trainable_variables)
        return apply([_times(each, _here.weight) for each in grads], trainable_variables)

    vars(optimizer).update(scale_loss=scale_loss_counted, apply=apply_counted)
    try:
        yield
    finally:
        del vars(optimizer)["scale_loss"], vars(optimizer)["apply"]


def _times(given: Any, weight: tf.Tensor) -> Any:
    if isinstance(given, tf.IndexedSlices):
        return tf.IndexedSlices(_times(given.values, weight), given.indices, given.dense_shape)
    return None if given is None else given * tf.cast(weight, given.dtype)
