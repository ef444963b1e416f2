"""Training through `fdl.accelerate` against a hand-written Keras `fit` on NumPy arrays, interleaved in one run.

`python tests/benchmarks/training.py [CASE ...]`: milliseconds per step of 100 examples, the lowest quarter of the
rounds, and the ratio that each case is wanted to reach. Ours trains with the zoo's optimizers, and the zoo's `lstm` and
`rnn`, whose layers compute training steps in ways of their own; Keras and torch train with theirs. The MLP, whose epoch
is MNIST's, is also held against forward and backward alone on batches drawn as ours are, with what this is at the
least: where the update finds all its data in the caches. Where FDL_ZOO_TORCH_PYTHON names a Python with torch 2.13.0,
that trains beside them, eager, with fused Adam.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from _verdict import at_most
from optimizers import updates_alone
from rich.console import Console
from rich.table import Table

import fdl_zoo as fdl

BATCH, ROUNDS = 100, 8
LAYERS = keras.layers


def dense(inputs: int, *units: int) -> tuple[tuple[int, ...], list]:
    """A network of ReLU layers."""
    return (inputs,), [LAYERS.Dense(each, activation="relu") for each in units]


def convnet() -> tuple[tuple[int, ...], list]:
    """The book's convolutional network."""
    body = [LAYERS.Conv2D(32, 5, padding="same", activation="relu"), LAYERS.MaxPool2D(2)]
    body += [LAYERS.Conv2D(64, 5, padding="same", activation="relu"), LAYERS.MaxPool2D(2), LAYERS.Flatten()]
    return (28, 28, 1), [*body, LAYERS.Dense(1024, activation="relu"), LAYERS.Dropout(0.5)]


ZOO = {"lstm, 100 steps": "lstm", "rnn, 100 steps": "rnn"}  # what ours trains instead of a network of Keras's layers
# name: (network, steps per epoch, optimizer, wanted ratio of Keras's time to ours, and of torch's)
CASES: dict[str, tuple[Callable, int, str, float, float | None]] = {
    "softmax regression 64-10": (lambda: dense(64), 100, "sgd", 8.0, 1.5),
    "softmax regression 784-10": (lambda: dense(784), 100, "sgd", 5.0, 1.2),
    "MLP 784-256-256-10": (lambda: dense(784, 256, 256), 600, "adam", 2.5, 1.0),
    "convnet 28x28": (convnet, 10, "adam", 1.0, None),
    "lstm, 100 steps": (lambda: ((100, 2), [LAYERS.LSTM(64)]), 20, "adam", 1.5, 1.1),
    "rnn, 100 steps": (lambda: ((100, 2), [LAYERS.SimpleRNN(64)]), 20, "adam", 2.0, 1.8),
}


def compiled(network: Callable, optimizer: str, zoo: str | None = None) -> tuple[tuple[int, ...], keras.Model]:
    """A model with Keras's default settings: the zoo's of that name, or a network."""
    keras.utils.set_random_seed(0)
    shape, layers = network()
    model = keras.Sequential([keras.Input(shape), *layers, LAYERS.Dense(10)])
    if zoo:
        model = fdl.create_model(zoo, shape, 10)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return shape, model


def gradients_alone(model: keras.Model, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Forward and backward pass over all batches, shuffled as in training, in one compiled graph."""
    inputs, targets = tf.constant(x), tf.constant(y)
    order = tf.constant(np.random.default_rng(1).permutation(len(x)).astype(np.int32).reshape(-1, BATCH))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    variables = [variable.value for variable in model.trainable_variables]

    @tf.function(jit_compile=True)
    def run() -> object:
        def step(index: tf.Tensor, _: object) -> tuple[tf.Tensor, list[tf.Tensor]]:
            rows = tf.gather(order, index)
            with tf.GradientTape() as tape:
                value = loss(tf.gather(targets, rows), model(tf.gather(inputs, rows), training=True))
            return index + 1, tape.gradient(value, variables)

        start = [tf.zeros(variable.shape) for variable in variables]
        return tf.while_loop(lambda index, _: index < len(order), step, (tf.constant(0), start))[1]

    return lambda: run()[0].numpy()


def interleaved(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds per call, the lowest quarter of the rounds, after one to warm up; every other round goes backwards."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(ROUNDS + 1):
        for name in list(functions) if turn % 2 else reversed(functions):
            start = time.perf_counter()
            functions[name]()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: float(np.quantile(each, 0.25)) for name, each in times.items()}


@contextmanager
def torch_beside(name: str, steps: int) -> Iterator[dict[str, Callable[[], object]]]:
    """Two epochs of torch as a function, in a process of its own; none where it is not installed."""
    python = os.environ.get("FDL_ZOO_TORCH_PYTHON")
    if not python:
        yield {}
        return
    command = [python, str(Path(__file__).with_name("_torch_side.py")), name, str(steps)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def train() -> None:
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"

        yield {"torch": train}
        process.stdin.close()


def measure(name: str) -> tuple[list[str], str]:
    """The row of a case, and what the engine chose for it."""
    network, steps, optimizer, wanted, wanted_torch = CASES[name]
    shape, plain = compiled(network, optimizer)
    _, model = compiled(network, f"fdl_zoo>{optimizer}", ZOO.get(name))
    random = np.random.default_rng(0)
    x = random.normal(size=(steps * BATCH, *shape)).astype(np.float32)
    y = random.integers(0, 10, len(x))
    feed = fdl.accelerate(model, x, y, batch_size=BATCH)
    functions: dict[str, Callable[[], object]] = {
        "keras": lambda: plain.fit(x, y, batch_size=BATCH, epochs=2, verbose=0),
        "ours": lambda: model.fit(feed, epochs=2, verbose=0),
    }
    once = ("bare", "update")  # an epoch per call, the others train two
    if name.startswith("MLP"):
        bare = compiled(network, optimizer)[1]
        functions["bare"] = gradients_alone(bare, x, y)
        functions["update"] = updates_alone(bare, keras.optimizers.get(f"fdl_zoo>{optimizer}"), steps)
    with torch_beside(name, steps) as torch:
        times = interleaved(functions | torch)
    per_step = {each: seconds / steps / (1 if each in once else 2) * 1e3 for each, seconds in times.items()}
    to_bare = ["", ""]
    if "bare" in per_step:
        least = 1 + per_step["update"] / per_step["bare"]
        to_bare = [at_most(per_step["ours"] / per_step["bare"], 1.15), f"{least:.2f}"]
    row = [name, *(f"{per_step[each]:.3f}" if each in per_step else "" for each in ("keras", "torch", "ours"))]
    row += [f"{per_step['keras'] / per_step['ours']:.2f}", f"{wanted:.1f}"]
    row += [f"{per_step['torch'] / per_step['ours']:.2f}" if "torch" in per_step else "", f"{wanted_torch or ''}"]
    return [*row, *to_bare], f"blocks of {feed.block} steps"


def main() -> None:
    """Measure the cases that are named, or all."""
    table = Table(title="Milliseconds per step of 100 examples")
    columns = ["Keras fit", "torch", "ours", "to Keras", "wanted", "to torch", "wanted"]
    columns += ["to forward + backward", "least"]
    for column in ("case", *columns):
        table.add_column(column, justify="left" if column == "case" else "right")
    for name in [case for case in CASES if not sys.argv[1:] or any(word in case for word in sys.argv[1:])]:
        row, chosen = measure(name)
        print(f"{name}: {chosen}", flush=True)
        table.add_row(*row)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
