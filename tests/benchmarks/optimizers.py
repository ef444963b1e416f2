"""Step times of the first-order optimizers, interleaved in one run: `python tests/benchmarks/optimizers.py`.

Without jit: one update of ours against Keras's of the same name, and against our own pure functions where a kernel of
TensorFlow takes their place (at most 1 is wanted of both). With jit: a step (forward, backward, update) against forward
and backward alone (at most 1.05), each in a compiled call of its own, and in a block of 100 as the engine runs them;
beside them the update alone, whose data are then in the caches: with it the step takes that much more at the least.
On 784-256-256-10, and on a net of 50 variables.
"""

import time
from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf
from _verdict import at_most
from rich.console import Console
from rich.table import Table

import fdl_zoo.optimizers  # noqa: F401 - registers the classes
from fdl_zoo.optimizers import _kernels

PAIRS = {"sgd": "SGD", "momentum": "SGD", "adagrad": "Adagrad", "rmsprop": "RMSprop", "adam": "Adam"}
ROUNDS, STEPS, BLOCK = 40, 8, 100


def mlp() -> keras.Model:
    """784-256-256-10, six variables."""
    units = [keras.layers.Dense(256, activation="relu"), keras.layers.Dense(256, activation="relu")]
    return keras.Sequential([keras.Input((784,)), *units, keras.layers.Dense(10)])


def deep() -> keras.Model:
    """25 layers of 64 units, fifty variables."""
    layers = [keras.layers.Dense(64, activation="relu") for _ in range(24)]
    return keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])


def interleaved(functions: dict[str, Callable[[], object]], calls: int = STEPS) -> dict[str, float]:
    """Milliseconds per call, the lowest tenth of the rounds; the functions take turns, so that noise hits all alike."""
    times = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(3):
            function()
    for turn in range(ROUNDS):
        names = list(functions) if turn % 2 else list(functions)[::-1]
        for name in names:
            start = time.perf_counter()
            for _ in range(calls):
                result = functions[name]()
            _wait(result)
            times[name].append((time.perf_counter() - start) / calls * 1e3)
    return {name: float(np.quantile(each, 0.1)) for name, each in times.items()}


def _wait(result: object) -> None:
    for tensor in tf.nest.flatten(result):
        if tf.is_tensor(tensor):
            tensor.numpy()


def ours(name: str) -> keras.optimizers.Optimizer:
    """Ours, at a rate that changes little."""
    return keras.optimizers.deserialize({"class_name": f"fdl_zoo>{name}", "config": {"learning_rate": 1e-4}})


def keras_own(name: str) -> keras.optimizers.Optimizer:
    """Keras's optimizer of the same rule."""
    options = {"momentum": 0.9} if name == "momentum" else {}
    return getattr(keras.optimizers, PAIRS[name])(learning_rate=1e-4, **options)


def update(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Callable[[], object]:
    """One update without jit."""
    variables = model.trainable_variables
    gradients = [tf.random.normal(variable.shape, seed=1) for variable in variables]
    optimizer.build(variables)

    @tf.function
    def step() -> tf.Tensor:
        optimizer.apply(gradients, variables)
        return tf.constant(0)

    return step


def pure_update(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Callable[[], object]:
    """One update without jit by the pure functions alone."""
    step = update(model, optimizer)
    with patch.object(_kernels, "usable", return_value=False):
        step()  # traced once, with what is patched
    return step


def whole_steps(model: keras.Model, optimizer: keras.optimizers.Optimizer | None, steps: int) -> Callable[[], object]:
    """Steps in one call with jit: forward and backward, and the update where there is an optimizer."""
    x = tf.random.normal((steps, 100, *model.input_shape[1:]), seed=1)
    y = tf.random.uniform((steps, 100), 0, 10, tf.int64, seed=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    variables = model.trainable_variables
    if optimizer:
        optimizer.build(variables)

    @tf.function(jit_compile=True)
    def block() -> object:
        def step(index: tf.Tensor, _: object) -> tuple[tf.Tensor, list[tf.Tensor]]:
            with tf.GradientTape() as tape:
                value = loss(tf.gather(y, index), model(tf.gather(x, index), training=True))
            gradients = tape.gradient(value, [variable.value for variable in variables])
            if optimizer is None:
                return index + 1, gradients  # handed on, or XLA would leave the backward pass out
            optimizer.apply(gradients, variables)
            return index + 1, [value]

        start = [tf.zeros(())] if optimizer else [tf.zeros(variable.shape) for variable in variables]
        if steps == 1:
            return step(tf.constant(0), start)[1]
        return tf.while_loop(lambda index, _: index < steps, step, (tf.constant(0), start))[1]

    return block


def updates_alone(model: keras.Model, optimizer: keras.optimizers.Optimizer, steps: int) -> Callable[[], object]:
    """Updates in one call with jit, from gradients that are there, and with nothing else to be kept in the caches."""
    variables = model.trainable_variables
    gradients = [tf.random.normal(variable.shape, seed=1) for variable in variables]
    optimizer.build(variables)

    @tf.function(jit_compile=True)
    def block() -> tf.Tensor:
        def step(index: tf.Tensor) -> tuple[tf.Tensor]:
            optimizer.apply(gradients, variables)
            return (index + 1,)

        return tf.while_loop(lambda index: index < steps, step, (tf.constant(0),))

    return block


def plain_row(build: Callable[[], keras.Model], name: str) -> list[str]:
    """Updates without jit: ours, Keras's, the pure function's, and the ratios of the first to the others."""
    updates = {"ours": update(build(), ours(name)), "keras": update(build(), keras_own(name))}
    times = interleaved(updates | {"pure": pure_update(build(), ours(name))})
    row = [f"{times['ours']:.3f}", f"{times['keras']:.3f}", at_most(times["ours"] / times["keras"], 1)]
    return [*row, f"{times['pure']:.3f}", at_most(times["ours"] / times["pure"], 1)]


def jit_row(steps: int, build: Callable[[], keras.Model], name: str) -> list[str]:
    """Steps with jit: ours, Keras's, forward and backward alone, the update alone, and ratios to the third.

    The last ratio is what a step would take in which the update had its data in the caches: less is not to be had.
    """
    blocks = {"ours": ours(name), "keras": keras_own(name), "bare": None}
    functions = {each: whole_steps(build(), optimizer, steps) for each, optimizer in blocks.items()}
    functions["update"] = updates_alone(build(), ours(name), steps)
    times = interleaved(functions, calls=max(STEPS // steps, 1))
    row = [f"{each / steps:.3f}" for each in times.values()]
    ratios = [times["ours"] / times["bare"], times["keras"] / times["bare"], 1 + times["update"] / times["bare"]]
    return [*row, at_most(ratios[0], 1.05), *(f"{each:.3f}" for each in ratios[1:])]


JIT_COLUMNS = ("ours", "Keras's", "forward + backward", "update", "ours / f + b", "Keras's / f + b", "least / f + b")
TABLES = {
    "an update without jit": (plain_row, ("ours", "Keras's", "ours / Keras's", "pure function", "kernel / pure")),
    "a step with jit in a call of its own": (partial(jit_row, 1), JIT_COLUMNS),
    f"a step with jit in a block of {BLOCK}": (partial(jit_row, BLOCK), JIT_COLUMNS),
}


def main() -> None:
    """Measure and print three tables per network."""
    for build in (mlp, deep):
        for title, (row, columns) in TABLES.items():
            table = Table(title=f"{build.__name__}: {build.__doc__} Milliseconds of {title}, and ratios.")
            for column in ("optimizer", *columns):
                table.add_column(column, justify="right")
            for name in PAIRS:
                table.add_row(name, *row(build, name))
            Console(width=120).print(table)


if __name__ == "__main__":
    main()
