"""Step times of the first-order optimizers, interleaved in one run: `python tests/benchmarks/optimizers.py`.

Without jit: one update of ours against Keras's of the same name (at most 1 is wanted). With jit: a step (forward,
backward, update) of a compiled block of eight against forward and backward alone in such a block (at most 1.05). On
784-256-256-10, and on a net of 50 variables.
"""

import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

import fdl_zoo.optimizers  # noqa: F401 - registers the classes

PAIRS = {"sgd": "SGD", "momentum": "SGD", "adagrad": "Adagrad", "rmsprop": "RMSprop", "adam": "Adam"}
ROUNDS, CALLS, STEPS = 40, 8, 8


def mlp() -> keras.Model:
    """784-256-256-10, six variables."""
    units = [keras.layers.Dense(256, activation="relu"), keras.layers.Dense(256, activation="relu")]
    return keras.Sequential([keras.Input((784,)), *units, keras.layers.Dense(10)])


def deep() -> keras.Model:
    """25 layers of 64 units, fifty variables."""
    layers = [keras.layers.Dense(64, activation="relu") for _ in range(24)]
    return keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])


def interleaved(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds per call, the lowest tenth of the rounds; the functions take turns, so that noise hits all alike."""
    times = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(3):
            function()
    for turn in range(ROUNDS):
        names = list(functions) if turn % 2 else list(functions)[::-1]
        for name in names:
            start = time.perf_counter()
            for _ in range(CALLS):
                result = functions[name]()
            _wait(result)
            times[name].append((time.perf_counter() - start) / CALLS * 1e3)
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


def whole_step(model: keras.Model, optimizer: keras.optimizers.Optimizer | None) -> Callable[[], object]:
    """A block of steps with jit, as the engine runs them: forward and backward, and the update where there is one."""
    x = tf.random.normal((STEPS, 100, *model.input_shape[1:]), seed=1)
    y = tf.random.uniform((STEPS, 100), 0, 10, tf.int64, seed=1)
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
        return tf.while_loop(lambda index, _: index < STEPS, step, (tf.constant(0), start))[1]

    return block


def main() -> None:
    """Measure and print one table per network."""
    columns = (
        "optimizer",
        "update",
        "Keras's",
        "ratio",
        "step, jit",
        "Keras's",
        "forward + backward",
        "ratio",
        "Keras's",
    )
    for build in (mlp, deep):
        table = Table(title=f"{build.__name__}: {build.__doc__} Milliseconds, and ratios.")
        for column in columns:
            table.add_column(column, justify="right")
        for name in PAIRS:
            plain = interleaved({"ours": update(build(), ours(name)), "keras": update(build(), keras_own(name))})
            jit = interleaved(
                {
                    "ours": whole_step(build(), ours(name)),
                    "keras": whole_step(build(), keras_own(name)),
                    "bare": whole_step(build(), None),
                }
            )
            numbers = [plain["ours"], plain["keras"], plain["ours"] / plain["keras"]]
            jit = {each: value / STEPS for each, value in jit.items()}
            numbers += [jit["ours"], jit["keras"], jit["bare"], jit["ours"] / jit["bare"], jit["keras"] / jit["bare"]]
            table.add_row(name, *(f"{number:.3f}" for number in numbers))
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
