"""What the engine chooses by itself, and why: where data lie, how long a block is, what XLA compiles, what is cut."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import psutil

BLOCK_SECONDS = 0.5  # signals and callbacks act at a block's end
# Of a CPU of two cores, by the figures of `tests/benchmarks/training.py`.
OPERATIONS_PER_SECOND = 2e11  # in dense and convolutional layers
RECURRENT_OPERATIONS_PER_SECOND = 5e10
LEAST_SECONDS = 5e-5  # of a step, however small
RESIDENT_SHARE = 0.25  # of the memory that is free, for data that stay
ACTIVATION_SHARE = 0.5  # and for the activations of a full batch
GPU_BYTES = 4 * 2**30  # TensorFlow does not say what a GPU has free: those that are used for training have this
COMPILED_STEPS = 1000  # fewer do not pay for the seconds that XLA takes to compile them
STREAMED_BYTES = 16 * 2**20  # of a block that is read from disk


@dataclass(frozen=True)
class Choice:
    """How a model is trained.

    Args:
        resident: The data stay on the device.
        block: Steps per compiled call.
        jit: XLA compiles the block.
        reasons: Of each, a sentence, by its name.
        watched_by: The callback that looks at every step and so makes blocks short; empty where none does.
    """

    resident: bool
    block: int
    jit: bool
    reasons: dict[str, str]
    watched_by: str = ""


def choose(
    model: keras.Model,
    *,
    example_bytes: int,
    examples: int,
    in_memory: bool,
    batch_size: int,
    replicas: int = 1,
    jit: bool | None = None,
    engine_jit: bool | None = None,
    block: int | None = None,
    every_step: str = "",
    total_steps: int | None = None,
) -> Choice:
    """The way to train a model on data of a size; what is given is kept.

    Args:
        model: Compiled and built.
        example_bytes: Of one example with its target.
        examples: Of the split.
        in_memory: The split is in memory already and never changes.
        batch_size: Examples per step.
        replicas: Of all workers.
        jit: Given by the user, or None.
        engine_jit: What the model's engine was made with; None where it has none.
        block: Likewise.
        total_steps: Of the whole training; None where that is not known.
        every_step: Who needs to be called at every step; empty where nobody does.
    """
    reasons = {}
    size, free = example_bytes * examples, _free_bytes()
    resident = in_memory and size <= RESIDENT_SHARE * free
    where = f"{size / 2**20:.1f} MiB, {free / 2**20:.0f} MiB are free"
    reasons["resident"] = f"the data {'stay on the device' if resident else 'are streamed'}: {where}"
    if not in_memory:
        reasons["resident"] = "the data are streamed: they are read from disk, or change from epoch to epoch"
    if jit is not None:
        reasons["jit"] = "as given"
    elif engine_jit is not None:
        jit, reasons["jit"] = engine_jit, "as the model's engine was made"
    else:
        jit, reasons["jit"] = _jit(model, replicas, total_steps)
    watched_by = every_step if block is None else ""
    if block is not None:
        reasons["block"] = "as given"
    elif model.run_eagerly:
        block, reasons["block"] = 1, "the model is run eagerly"
    elif watched_by:
        block, reasons["block"] = 1, f"{every_step} looks at every step"
    else:
        seconds = step_seconds(model, batch_size)
        block = math.ceil(BLOCK_SECONDS / seconds)
        reasons["block"] = f"a step takes about {1e3 * seconds:.2g} ms, a block at most about {BLOCK_SECONDS} s"
        if not resident:
            block = min(block, max(1, STREAMED_BYTES // (batch_size * example_bytes)))
    return Choice(resident, max(1, block), jit, reasons, watched_by)


def micro_batches(model: keras.Model, examples: int) -> int:
    """Into how many micro-batches a full batch must be cut for its activations to fit in memory; 1 for none.

    Args:
        model: Built; of one that is not functional the activations are not known, and it is not cut.
        examples: Of the full batch.
    """
    return math.ceil(examples * activation_bytes(model) / (ACTIVATION_SHARE * _free_bytes()))


def activation_bytes(model: keras.Model) -> int:
    """About how much memory a training step holds per example: each layer's output, and the gradient by it."""
    values = sum(_values(layer, uses) for layer, uses in _parts(model))
    return 2 * values * np.dtype(keras.config.floatx()).itemsize


def _values(layer: Any, uses: int) -> int:
    """How many numbers a layer makes of an example, those of the layers that it consists of apart."""
    if isinstance(layer, keras.layers.RNN):  # in each time step a product with each matrix
        return uses * sum(weight.shape[-1] for weight in layer.trainable_variables if len(weight.shape) > 1)
    try:
        outputs = [] if _inside(layer) else keras.tree.flatten(layer.output)
    except (AttributeError, ValueError):  # a model that is not functional does not know
        return 0
    return sum(math.prod(size or 1 for size in output.shape[1:]) for output in outputs)


def _free_bytes() -> int:
    return GPU_BYTES if _on_gpu() else psutil.virtual_memory().available


def step_seconds(model: keras.Model, batch_size: int) -> float:
    """About how long a training step takes on a CPU: the multiplications and additions forward, and twice backward."""
    return max(batch_size * sum(_seconds(layer, uses) for layer, uses in _parts(model)), LEAST_SECONDS)


def _seconds(layer: Any, uses: int) -> float:
    """About how long a layer takes per example, without those that it consists of."""
    if isinstance(layer, keras.layers.Embedding):
        return 0.0  # it looks up, and multiplies nothing
    rate = RECURRENT_OPERATIONS_PER_SECOND if isinstance(layer, keras.layers.RNN) else OPERATIONS_PER_SECOND
    others = {id(weight) for part in _inside(layer) for weight in part.trainable_variables}
    own = sum(_size(weight) for weight in layer.trainable_variables if id(weight) not in others)
    return 6.0 * uses * own / rate


def _size(variable: keras.Variable) -> int:
    return math.prod(variable.shape)


def _uses(layer: Any, unknown: int) -> int:
    """How often a layer uses its weights for one example: at each place of a convolution, at each time step."""
    try:
        given = layer.output if "Conv" in type(layer).__name__ else layer.input
        shape = keras.tree.flatten(given)[0].shape  # a layer behind an embedding is given a mask too
    except (AttributeError, ValueError, IndexError):  # a model that is not functional does not know
        return unknown
    if "Conv" in type(layer).__name__:
        return math.prod(size or 1 for size in shape[1:-1])
    return (shape[1] or 1) if len(shape) == 3 else 1


def _parts(layer: Any, unknown: int = 1) -> Iterator[tuple[Any, int]]:
    """A layer and all that it consists of, each with how often it uses its weights for one example.

    Args:
        layer: A model or a part of one.
        unknown: How often one is used that does not know its own shapes: as often as what it is part of.
    """
    uses = _uses(layer, unknown)
    yield layer, uses
    for part in _inside(layer):
        yield from _parts(part, uses)


def _inside(layer: Any) -> list[Any]:
    """The layers that one consists of; of a recurrent one its cell is none, for it is used as often as the layer."""
    return (
        [] if isinstance(layer, keras.layers.RNN) else list(layer._flatten_layers(include_self=False, recursive=False))
    )


def _jit(model: keras.Model, replicas: int, total_steps: int | None) -> tuple[bool, str]:
    if replicas > 1:
        return False, f"XLA compiles the work of one device, and there are {replicas} replicas"
    if model.run_eagerly:
        return False, "the model is run eagerly"
    on_gpu = _on_gpu()
    in_halves = [type(layer).__name__ for layer in model._flatten_layers() if getattr(layer, "compiles_itself", False)]
    if in_halves and not on_gpu:
        return False, f"a {in_halves[0]} has XLA compile each half of a batch, for a core of its own"
    refusing = sorted(type(layer).__name__ for layer in model._flatten_layers() if not _can_jit(layer, on_gpu))
    if refusing:
        return False, f"XLA cannot compile a {refusing[0]}"
    kinds = {type(layer).__name__ for layer in model._flatten_layers()}
    convolution = sorted(kind for kind in kinds if "Conv" in kind)
    if convolution and not on_gpu:
        return False, f"on a CPU XLA's loops compute a {convolution[0]} on one core only"
    if total_steps is not None and total_steps < COMPILED_STEPS:
        return False, f"{total_steps} steps are too few to pay for compiling them"
    return True, "XLA fuses the many small operations of a step"


def _can_jit(layer: Any, on_gpu: bool) -> bool:
    """Keras refuses recurrent layers everywhere because of cuDNN's kernels, which only a GPU has."""
    return layer.supports_jit or (isinstance(layer, (keras.layers.LSTM, keras.layers.GRU)) and not on_gpu)


def _on_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))
