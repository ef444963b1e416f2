"""Two replicas on two logical CPUs against one device that has both, interleaved: reported, nothing is wanted.

Run by itself: `python tests/benchmarks/replicas.py`.
"""

import contextlib
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

STEPS, BATCH, ROUNDS = 100, 100, 5
NETWORKS = {
    "MLP 784-256-256-10": ((784,), lambda: [keras.layers.Dense(256, activation="relu") for _ in range(2)]),
    "convolutions 28x28": (
        (28, 28, 1),
        lambda: [keras.layers.Conv2D(16, 5, activation="relu"), keras.layers.MaxPool2D(2), keras.layers.Flatten()],
    ),
}


def trainer(network, scope):
    """A call that trains a network for an epoch."""
    import fdl_zoo as fdl

    shape, layers = network
    random = np.random.default_rng(0)
    x, y = random.normal(size=(STEPS * BATCH, *shape)).astype("float32"), random.integers(0, 10, STEPS * BATCH)
    with scope:
        model = keras.Sequential([keras.Input(shape), *layers(), keras.layers.Dense(10)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, jit_compile=False)
    feed = fdl.accelerate(model, x, y, batch_size=BATCH, jit=False)
    return lambda: model.fit(feed, verbose=0)


def main():
    """Print milliseconds per step of a global batch of 100, and their ratio."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from fdl_zoo.training.strategy import mirrored

    for name, network in NETWORKS.items():
        calls = {"one": trainer(network, contextlib.nullcontext()), "two": None}
        calls["two"] = trainer(network, mirrored(("CPU:0", "CPU:1")).scope())
        taken = {each: [] for each in calls}
        for _ in range(ROUNDS + 1):  # the first compiles
            for each, call in calls.items():
                before = time.perf_counter()
                call()
                taken[each].append(1000 * (time.perf_counter() - before) / STEPS)
        one, two = (statistics.median(taken[each][1:]) for each in ("one", "two"))
        print(f"{name}: one device {one:.2f} ms a step, two replicas {two:.2f} ms: {two / one:.2f} times")


if __name__ == "__main__":
    main()
