"""Makes any compiled Keras model train in compiled blocks of steps: `model.fit(fdl.accelerate(model, x, y))`."""

from collections.abc import Iterable
from typing import Any, Literal

import keras
import numpy as np

from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.training.batches import Batches
from fdl_zoo.training.choice import Choice, choose
from fdl_zoo.training.engine import Engine
from fdl_zoo.training.feed import Feed


def accelerate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | Literal["full"] = 32,
    shuffle: bool = True,
    seed: int = 0,
    steps: int = 1,
    jit: bool | None = None,
    block: int | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> Feed:
    """The data in the form in which `model.fit` and `model.evaluate` run a block of steps per compiled call.

    `compile`, `fit`, callbacks, history and `train_step` stay Keras's; callbacks' batch methods are called once per
    block, as with Keras's `steps_per_execution`.

    Args:
        model: Compiled; its own `train_step` is used.
        x: Inputs [examples, ...], or a `Split`.
        y: Targets [examples, ...].
        batch_size: Examples per step; `full` takes all in each step.
        shuffle: Draw a new order each epoch from `seed`; give False for validation and test data.
        seed: Of the order.
        steps: Steps per epoch where the batch is full.
        jit: Compile with XLA; None lets the engine choose.
        block: Steps per compiled call; None lets the engine choose.
        callbacks: Those that `fit` will be given: if one looks at every batch, a block is one step.

    Raises:
        InvalidOption: The model is not compiled, or jit is asked for on several replicas.
        InvalidData: The data are empty, or inputs and targets differ in number.
    """
    if not model.compiled:
        raise InvalidOption("The model cannot be accelerated: it is not compiled; call `compile` first.")
    split = x if isinstance(x, Split) else Split(np.asarray(x), np.asarray(y))
    batches = Batches(split, batch_size, seed=seed if shuffle else None, steps=steps)
    return install(model, batches, jit=jit, block=block, callbacks=callbacks)[0]


def install(
    model: keras.Model,
    batches: Batches,
    *,
    jit: bool | None = None,
    block: int | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    epochs: int | None = None,
) -> tuple[Feed, Choice]:
    """Put the engine into the model, and the batches into its form; also what was chosen and why."""
    split = batches.split
    if not len(split):
        raise InvalidData("The model cannot be trained on 0 examples: give at least one.")
    replicas = model.distribute_strategy.num_replicas_in_sync
    if jit and replicas > 1:
        raise InvalidOption(f"jit cannot be true with {replicas} replicas: leave jit out, or use one device.")
    example = split.take(np.arange(1))
    choice = choose(
        model,
        example_bytes=sum(array.nbytes for array in example),
        examples=len(split),
        in_memory=type(split) is Split,
        batch_size=batches.batch_size,
        jit=jit,
        block=block,
        every_step=watcher(callbacks),
        total_steps=None if epochs is None else epochs * len(batches),
    )
    engine = Engine.of(model)
    if engine is None or engine.jit != choice.jit:
        engine = None
        Engine(model, choice.jit)
    # Keras has one length of blocks for training and evaluation.
    model.steps_per_execution = choice.block if engine is None else min(choice.block, model.steps_per_execution)
    return Feed(batches, model, choice.resident), choice


def watcher(callbacks: Iterable[keras.callbacks.Callback]) -> str:
    """The name of the first callback that looks at every batch; ours say `at_block_end` where a block's end will do."""
    for callback in callbacks:
        methods = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
        own = any(getattr(type(callback), name) is not getattr(keras.callbacks.Callback, name) for name in methods)
        if own and not getattr(callback, "at_block_end", False):
            return type(callback).__name__
    return ""
