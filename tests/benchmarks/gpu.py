"""The convnet on a GPU: images per second by the engine, by Keras `fit`, and of forward + backward alone.

A script that runs alone: `python tests/benchmarks/gpu.py [--batch-size N] [--precision mixed_bfloat16]`; says so and
ends with status 2 where TensorFlow sees no GPU. Each figure is the best of three epochs after one to warm up,
interleaved.
"""

import argparse
import sys
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import fdl_zoo as fdl

IMAGES, ROUNDS = 20_000, 3


def compiled(precision: str) -> keras.Model:
    """The book's convolutional network with Adam, as a user compiles it."""
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(0)
    model = fdl.create_model("convnet", input_shape=(28, 28, 1), num_outputs=10, filters=(32, 64), units=1024)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(fdl.create_optimizer("adam"), loss, metrics=["accuracy"])
    return model


def gradients_alone(model: keras.Model, x: tf.Tensor, y: tf.Tensor, batch: int) -> Callable[[], None]:
    """Forward and backward pass over all whole batches, compiled by XLA, one call each."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    variables = [each.value for each in model.trainable_variables]

    @tf.function(jit_compile=True)
    def step(images: tf.Tensor, targets: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            value = loss(targets, model(images, training=True))
        return tape.gradient(value, variables)

    def epoch() -> None:
        for start in range(0, len(x) - batch + 1, batch):
            last = step(x[start : start + batch], y[start : start + batch])
        last[0].numpy()

    return epoch


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--precision", default="float32", choices=["float32", "mixed_bfloat16"])
    given = parser.parse_args()
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        print("gpu.py: TensorFlow sees no GPU here: run it on a machine with one.", file=sys.stderr)
        return 2
    random = np.random.default_rng(0)
    x, y = random.random((IMAGES, 28, 28, 1), np.float32), random.integers(0, 10, IMAGES)
    plain, ours = compiled(given.precision), compiled(given.precision)
    feed = fdl.accelerate(ours, x, y, batch_size=given.batch_size)
    epochs: dict[str, Callable[[], object]] = {
        "fdl.accelerate": lambda: ours.fit(feed, epochs=1, verbose=0),
        "Keras fit": lambda: plain.fit(x, y, batch_size=given.batch_size, epochs=1, verbose=0),
        "forward + backward": gradients_alone(
            compiled(given.precision), tf.constant(x), tf.constant(y), given.batch_size
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(ROUNDS + 1):
        for name, epoch in epochs.items():
            started = time.perf_counter()
            epoch()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    name = tf.config.experimental.get_device_details(devices[0]).get("device_name", "GPU")
    print(f"{name}, batch {given.batch_size}, {given.precision}")
    for name, times in seconds.items():
        print(f"{name:20} {IMAGES / min(times):12,.0f} images per second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
