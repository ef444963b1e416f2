"""Makes any compiled Keras model train in compiled blocks of steps: `model.fit(fdl.accelerate(model, x, y))`."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import keras
import numpy as np

from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.training.batches import Batches
from fdl_zoo.training.choice import Choice, choose
from fdl_zoo.training.engine import Engine
from fdl_zoo.training.feed import Feed
from fdl_zoo.training.strategy import as_first_worker

_logger = logging.getLogger(__name__)


def accelerate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int | Literal["full"] = 32,
    shuffle: bool = True,
    seed: int = 0,
    steps: int = 1,
    jit: bool | None = None,
    block: int | None = None,
    callbacks: Iterable[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
) -> Feed:
    """The data in the form in which `model.fit` and `model.evaluate` run a block of steps per compiled call.

    `compile`, `fit`, callbacks, history and `train_step` stay Keras's; callbacks' batch methods are called once per
    block, as with Keras's `steps_per_execution`.

    Args:
        model: Compiled; its own `train_step` is used.
        x: Inputs [examples, ...], a list or dictionary of them, or a `Split`, which has targets and weights itself.
        y: Targets, likewise; None where the model needs none. All that `fit` takes beside `x` belongs here: given a
            feed, it looks at neither `batch_size` nor `shuffle`, and refuses `y`, `sample_weight` and `class_weight`.
        sample_weight: A weight per example [examples].
        batch_size: Examples per step; `full` takes all in each step, or, where the optimizer accumulates gradients over
            K steps, all in K steps, cut into K micro-batches.
        shuffle: Draw a new order each epoch from `seed`; give False for validation and test data.
        seed: Of the order.
        steps: Steps per epoch where the batch is full.
        jit: Compile with XLA; None lets the engine choose.
        block: Steps per compiled call; None lets the engine choose.
        callbacks: What `fit` will be given: if one looks at every batch, a block is one step.

    Raises:
        InvalidOption: The model is not compiled, a number is none, or jit is asked for on several replicas.
        InvalidData: The data are empty or no arrays, or inputs, targets and weights differ in number.
    """
    if not isinstance(model, keras.Model):
        raise InvalidOption(f"A {type(model).__name__} cannot be accelerated: give a compiled keras.Model.")
    if not model.compiled:
        raise InvalidOption("The model cannot be accelerated: it is not compiled; call `compile` first.")
    _check_count("batch_size", batch_size, "full")
    _check_count("steps", steps)
    _check_count("block", block, None)
    _check_count("seed", seed, 0)
    _check_switch("jit", jit, None)
    _check_switch("shuffle", shuffle)
    if isinstance(x, Split) and not (y is None and sample_weight is None):
        raise InvalidData("A Split cannot have targets or weights beside it: it has its own; leave y out.")
    split = x if isinstance(x, Split) else Arrays(x, y, sample_weight)
    parts = accumulated_steps(model) if batch_size == "full" else 1
    divided = max(parts, model.distribute_strategy.num_replicas_in_sync) > 1
    if divided and len(split) and len(split.take(np.arange(1))) < 2:
        raise InvalidData(
            "The data cannot be divided among replicas or micro-batches without targets: give y, or use one device and"
            " no gradient accumulation."
        )
    looking = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else list(callbacks or ())
    for each in looking:
        if not isinstance(each, keras.callbacks.Callback):
            raise InvalidOption(f"A value of type {type(each).__name__} cannot be a callback: give Keras's.")
    batches = Batches(
        split,
        batch_size,
        seed=seed if shuffle else None,
        steps=steps,
        micro_batches=parts,
    )
    feed, choice = install(model, batches, jit=jit, block=block, callbacks=looking)
    if choice.watched_by:
        _logger.warning("Blocks are one step long: %s.", choice.reasons["block"])
    return feed


def accumulated_steps(model: keras.Model) -> int:
    """Over how many steps the optimizer of a compiled model accumulates: a full batch is cut into as many."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # one that scales the loss has none itself
    return getattr(optimizer, "gradient_accumulation_steps", None) or 1


def _array(given: Any) -> np.ndarray:
    """An array as `fit` takes it: floating-point numbers of Keras's type.

    Raises:
        InvalidData: It is no array of examples.
    """
    array = np.asarray(given)
    if array.ndim == 0:
        raise InvalidData(
            f"The data cannot hold a value of type {type(given).__name__}: give arrays [examples, ...], structures of"
            " them, or a Split."
        )
    if array.dtype.kind in "OSUMm":
        raise InvalidData(
            f"The data cannot be an array of type {array.dtype}: give numbers, such as the index of each text's class."
        )
    floating = np.issubdtype(array.dtype, np.floating)
    return array.astype(keras.config.floatx(), copy=False) if floating else array


def _check_count(name: str, value: Any, *others: Any) -> None:
    """Refuse what is neither a whole number above 0 nor one of some other values; a boolean is no number."""
    if value in others or (isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1):
        return
    further = "".join(f", or {each}" for each in others)
    raise InvalidOption(f"{name} cannot be {value!r}: it is a whole number from 1{further}.")


def _check_switch(name: str, value: Any, *others: Any) -> None:
    if value not in (True, False, *others):
        raise InvalidOption(f"{name} cannot be {value!r}: it is one of {', '.join(map(str, (True, False, *others)))}.")


class Arrays(Split):
    """What Keras's `fit` takes, in memory: inputs, targets and weights, each an array or a structure of arrays.

    Args:
        x: Inputs [examples, ...].
        y: Targets [examples, ...], or None.
        sample_weight: [examples], or None.

    Raises:
        InvalidData: They differ in number.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None) -> None:
        if y is None and sample_weight is not None:
            raise InvalidData("The data cannot have weights without targets: give y too.")
        given = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        self.parts = keras.tree.map_structure(_array, given if isinstance(given, tuple) else (given,))
        inputs, *others = ({len(array) for array in keras.tree.flatten(part)} for part in self.parts)
        for counts, noun in zip([inputs, *others], ("inputs", "targets", "weights"), strict=False):
            if len(counts) > 1 or counts != inputs:
                raise InvalidData(
                    f"The data cannot have {' or '.join(map(str, sorted(inputs)))} inputs and"
                    f" {' or '.join(map(str, sorted(counts)))} {noun}: give one per example."
                )

    def __len__(self) -> int:
        return len(keras.tree.flatten(self.parts)[0])

    def take(self, indices: np.ndarray, epoch: int = 0) -> tuple[Any, ...]:
        """The examples at `indices` [n], in the structure in which they were given."""
        return keras.tree.map_structure(lambda array: array[indices], self.parts)


def install(
    model: keras.Model,
    batches: Batches,
    *,
    jit: bool | None = None,
    block: int | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    epochs: int | None = None,
    workers: int = 1,
) -> tuple[Feed, Choice]:
    """Put the engine into the model, and the batches into its form; also what was chosen and why.

    `workers` stands for those of a run that is only planned: there the model's strategy does not know of them.
    """
    split = batches.split
    if not len(split):
        raise InvalidData("The model cannot be trained on 0 examples: give at least one.")
    replicas = workers * model.distribute_strategy.num_replicas_in_sync
    if jit and replicas > 1:
        raise InvalidOption(f"jit cannot be true with {replicas} replicas: leave jit out, or use one device.")
    example, engine = split.take(np.arange(1)), Engine.of(model)
    choice = choose(
        model,
        example_bytes=sum(array.nbytes for array in keras.tree.flatten(example)),
        examples=len(split),
        in_memory=type(split) in (Split, Arrays),
        batch_size=batches.batch_size,
        replicas=replicas,
        jit=jit,
        engine_jit=engine.jit if engine else None,
        block=block,
        every_step=watcher(callbacks),
        total_steps=None if epochs is None else epochs * len(batches),
    )
    length, compiled = as_first_worker(model.distribute_strategy, choice.block, choice.jit)
    choice = replace(choice, block=length, jit=bool(compiled))
    if engine is None or engine.jit != choice.jit:
        Engine(model, choice.jit)
    return Feed(batches, choice.block, choice.resident), choice


def _is_own(callback: keras.callbacks.Callback, name: str) -> bool:
    """Whether a callback has this method itself; Keras's LambdaCallback has functions in place of methods."""
    stock = getattr(keras.callbacks.Callback, name)
    return getattr(getattr(callback, name), "__func__", None) is not stock


def watcher(callbacks: Iterable[keras.callbacks.Callback]) -> str:
    """The name of the first callback that looks at every batch; ours say `at_block_end` where a block's end will do."""
    for callback in callbacks:
        methods = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
        own = any(_is_own(callback, name) for name in methods)
        if own and not getattr(callback, "at_block_end", False):
            return type(callback).__name__
    return ""
