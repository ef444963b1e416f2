"""Losses and metrics by task or by name: from logits, a value per example, averaged over the batch (chapters 2, 3)."""

import inspect
from types import ModuleType
from typing import Any

import keras
from keras import ops

from fdl_zoo.errors import InvalidOption
from fdl_zoo.tasks import TASKS, check_fits


@keras.saving.register_keras_serializable(package="fdl_zoo", name="half_squared_error")
def half_squared_error(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """The book's E = 1/2 sum (t - y)^2 of one example: [batch, outputs] to [batch]."""
    y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
    return 0.5 * ops.sum(ops.square(y_true - y_pred), axis=-1)


@keras.saving.register_keras_serializable(package="fdl_zoo", name="mean_output")
def mean_output(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """The loss of an objective: the model's output is the loss of each example: [batch, 1] to [batch]."""
    return ops.mean(y_pred, axis=-1)


_OWN = {"half_squared_error": half_squared_error, "mean_output": mean_output}


def make_loss(task: str, name: str | None = None) -> Any:
    """The loss of a task, or one by name; those that can are told that outputs are logits.

    Raises:
        InvalidOption: There is no such loss, or it is made for other targets.
    """
    if name is None:
        name = TASKS[task].loss
    check_fits(task, "loss", name)
    return _OWN.get(name) or _by_name(keras.losses, name, "loss")


def make_metrics(task: str, names: tuple[str, ...] | None = None) -> list[keras.metrics.Metric]:
    """The metrics of a task, or those named, each recorded under the name that it was asked for by.

    Raises:
        InvalidOption: There is no such metric, or it is made for other targets.
    """
    return [_metric(task, name) for name in (TASKS[task].metrics if names is None else names)]


def _metric(task: str, name: str) -> keras.metrics.Metric:
    check_fits(task, "metric", name)
    if name == "accuracy" and task == "binary":
        return keras.metrics.BinaryAccuracy(threshold=0.0, name=name)  # the logit of probability 1/2
    if name == "accuracy":
        return keras.metrics.SparseCategoricalAccuracy(name=name)
    # Of two classes one logit is told, which is zero at probability 1/2.
    return _by_name(keras.metrics, name, "metric", 0.0 if task == "binary" else None, name=name)


def _by_name(module: ModuleType, asked: str, noun: str, threshold: float | None = None, **options: Any) -> Any:
    """An instance of the class behind a name: Keras's own look-up gives functions too, which take no logits."""
    try:
        found = module.get(asked)
    except ValueError:
        raise InvalidOption(f"There is no {noun} {asked!r} in Keras: write for example {_EXAMPLES[noun]}.") from None
    squeezed = getattr(found, "__name__", type(found).__name__).replace("_", "").lower()
    kind = next(value for key, value in vars(module).items() if inspect.isclass(value) and key.lower() == squeezed)
    known = inspect.signature(kind).parameters
    if "from_logits" in known:
        options["from_logits"] = True
    elif threshold is not None:
        options |= {key: threshold for key in ("threshold", "thresholds") if key in known}
    return kind(**options)


_EXAMPLES = {"loss": "mean_squared_error", "metric": "mean_absolute_error"}
