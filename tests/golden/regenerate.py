"""Golden values: says what would change, and writes it only with `--write`: `python tests/golden/regenerate.py`.

Each file beside this script is one entry of `FILES`: a function that computes what should stand in it. A rule that is
meant to change changes its golden value in the same commit; nothing else does.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import fdl_zoo.optimizers as optimizers

FOLDER = Path(__file__).parent
STEPS, SIZE = 6, 3
OPTIMIZERS = {  # a case to an entry and its options
    "sgd": ("sgd", {"learning_rate": 0.1}),
    "momentum": ("momentum", {"learning_rate": 0.1, "momentum": 0.9}),
    "nesterov": ("momentum", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "adagrad": ("adagrad", {"learning_rate": 0.1}),
    "rmsprop": ("rmsprop", {"learning_rate": 0.1}),
    "rmsprop_corrected": ("rmsprop", {"learning_rate": 0.1, "bias_correction": True, "momentum": 0.5}),
    "rmsprop_centered": ("rmsprop", {"learning_rate": 0.1, "centered": True}),
    "adam": ("adam", {"learning_rate": 0.1}),
    "adam_all_options": (
        "adam",
        {
            "learning_rate": 0.1,
            "global_clipnorm": 1.0,
            "weight_decay": 0.1,
            "gradient_accumulation_steps": 2,
            "use_ema": True,
            "ema_momentum": 0.5,
            "ema_overwrite_frequency": 2,
        },
    ),
}

SEARCHING, SEARCHING_STEPS = ("bfgs", "lbfgs", "conjugate_gradient"), 12


def first_order(name: str, options: dict) -> list[list[float]]:
    """The weights after each step [steps, size] in float64, from gradients that are a formula."""
    theta = keras.Variable(np.linspace(-1.0, 1.0, SIZE), dtype="float64")
    optimizer = getattr(optimizers, name).build(**options)
    weights = []
    for step in range(STEPS):
        gradient = np.cos(3.0 * step + np.arange(SIZE)) * 10.0 ** (step % 4 - 2)
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float64")], [theta])
        weights.append(theta.numpy().tolist())
    return weights


def searching(name: str) -> list[list[float]]:
    """The weights after each evaluation [steps, size] in float64, on the chained Rosenbrock function."""
    theta = keras.Variable([-1.2, 1.0, -1.2, 1.0], dtype="float64")
    optimizer = getattr(optimizers, name).build()
    weights = []
    for _ in range(SEARCHING_STEPS):
        with tf.GradientTape() as tape:
            x = tf.convert_to_tensor(theta.value)
            tape.watch(x)
            loss = tf.reduce_sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
        gradient = tape.gradient(optimizer.scale_loss(loss), x)
        optimizer.apply([gradient], [theta])
        weights.append(theta.numpy().tolist())
    return weights


def optimizer_paths() -> dict[str, list[list[float]]]:
    """What `optimizers.json` holds."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")  # Keras keeps the learning rate in it
    try:
        paths = {case: first_order(name, options) for case, (name, options) in OPTIMIZERS.items()}
        return paths | {name: searching(name) for name in SEARCHING}
    finally:
        keras.config.set_floatx(before)


FILES: dict[str, Callable[[], dict]] = {"optimizers.json": optimizer_paths}


def stored(name: str) -> dict:
    """What stands in a golden file; nothing if there is none yet."""
    path = FOLDER / name
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def same(left: object, right: object) -> bool:
    """Whether two golden values are equal up to what another processor may round differently."""
    if left is None or right is None or np.shape(left) != np.shape(right):
        return False
    return bool(np.allclose(left, right, rtol=1e-11, atol=1e-13))


def main(write: bool) -> int:
    """Compare, report, and write if asked to; 1 if something differs and was not written."""
    changed = 0
    for name, compute in FILES.items():
        old, new = stored(name), compute()
        differing = sorted(case for case in {*old, *new} if not same(old.get(case), new.get(case)))
        changed += len(differing)
        print(f"{name}: {len(new)} cases, {len(differing)} differ{': ' if differing else ''}{', '.join(differing)}")
        if write and differing:
            kept = {case: value if case in differing else old[case] for case, value in new.items()}
            (FOLDER / name).write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    if changed and not write:
        print("Nothing is written. If the change is meant: python tests/golden/regenerate.py --write")
    return int(bool(changed) and not write)


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv[1:]))
