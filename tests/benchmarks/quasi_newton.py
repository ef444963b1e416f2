"""How fast the searching optimizers are, against SciPy driven through TensorFlow and against the bare evaluation.

Run as `python tests/benchmarks/quasi_newton.py`; each comparison is interleaved, and the lowest quarter of its rounds
counts. Each line says what is wanted of its figure, and whether that is met.
"""

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import scipy.optimize
import tensorflow as tf
from _verdict import at_least, at_most
from sklearn.datasets import load_digits

import fdl_zoo
import fdl_zoo.optimizers
from fdl_zoo.optimizers import _descent as descent
from fdl_zoo.optimizers._dense import Dense
from fdl_zoo.optimizers._limited_memory import LimitedMemory
from fdl_zoo.optimizers._quasi_newton import flat
from fdl_zoo.training.progress import Silent

L2 = 1e-3
FEATURES, TARGETS = load_digits(return_X_y=True)
FEATURES = FEATURES / 16


def objective(
    hidden: tuple[int, ...], dtype: str, l2: float = L2, data: tuple[np.ndarray, np.ndarray] = (FEATURES, TARGETS)
) -> tuple[Callable, np.ndarray]:
    """Loss and gradient of a digits network with the given hidden layers, as a function of one flat vector."""
    x, y = tf.constant(data[0], dtype), tf.constant(data[1])
    widths = (64, *hidden, 10)
    shapes = [shape for a, b in pairwise(widths) for shape in ((a, b), (b,))]
    sizes = [int(np.prod(shape)) for shape in shapes]

    def loss(parts: list[tf.Tensor]) -> tf.Tensor:
        h = x
        for i in range(0, len(parts), 2):
            h = tf.matmul(h if i == 0 else tf.tanh(h), parts[i]) + parts[i + 1]
        penalty = tf.add_n([tf.reduce_sum(tf.square(part)) for part in parts[::2]])
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, h)) + l2 * penalty

    def value_and_gradient(theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parts = [tf.reshape(part, shape) for part, shape in zip(tf.split(theta, sizes), shapes, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(parts)
            value = loss(parts)
        return value, flat(tape.gradient(value, parts))

    rng = np.random.default_rng(0)
    start = np.concatenate([rng.normal(0, 1 / np.sqrt(shape[0]), shape).ravel() for shape in shapes]).astype(dtype)
    return value_and_gradient, start


def compiled_descent(direction: descent.Direction, evaluate: Callable, most: int, tolerance: float) -> Callable:
    """The whole minimization as one compiled function from the start to the packed progress and the point."""
    limits = descent.Limits(tolerance, most)

    @tf.function(jit_compile=True, autograph=False)
    def run(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        (end,) = tf.while_loop(
            lambda state: state.progress[0] <= descent.RUNNING,
            lambda state: (descent.advance(direction, limits, state, *evaluate(state.trial)),),
            (descent.initial_state(direction, start),),
        )
        return end.progress, end.point

    return run


def bare_loop(evaluate: Callable, times: int) -> Callable:
    """Nothing but evaluations, each depending on the one before, so that none can be left out."""

    @tf.function(jit_compile=True, autograph=False)
    def run(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def body(i: tf.Tensor, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            value, gradient = evaluate(theta)
            return i + 1, theta - (1e-6 + 0 * value) * gradient

        return tf.while_loop(lambda i, _: i < times, body, (0, start))

    return run


def scipy_run(method: str, evaluate: Callable, start: np.ndarray, options: dict) -> scipy.optimize.OptimizeResult:
    """SciPy's minimizer on the compiled evaluation."""

    def value_and_gradient(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(tf.constant(theta, start.dtype))
        return float(value), gradient.numpy().astype(np.float64)

    return scipy.optimize.minimize(value_and_gradient, start, jac=True, method=method, options=options)


def interleaved(rounds: int, **runs: Callable) -> dict[str, float]:
    """Seconds of each, the lowest quarter of the rounds, run in turns after one warming call."""
    seconds = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    return {name: float(np.quantile(times, 0.25)) for name, times in seconds.items()}


def lbfgs_against_scipy(hidden: tuple[int, ...], dtype: str, tolerance: float = 1e-3) -> None:
    """One minimization to the same tolerance; SciPy itself always works in float64."""
    evaluate, start = objective(hidden, dtype)
    ours = compiled_descent(LimitedMemory(), evaluate, 15_000, tolerance)
    single = tf.function(evaluate, jit_compile=True)
    options = {"maxcor": 10, "ftol": 0, "gtol": tolerance, "maxfun": 15_000}
    theta = tf.constant(start)
    run_scipy = partial(scipy_run, "L-BFGS-B", single, start, options)
    times = interleaved(15, ours=lambda: ours(theta)[1].numpy(), scipy=run_scipy)
    progress, result = ours(theta)[0].numpy(), run_scipy()
    print(
        f"lbfgs {len(start):,} {dtype}: ours {1e3 * times['ours']:.0f} ms ({progress[2]:.0f} evaluations, loss "
        f"{progress[1]:.8f}), scipy {1e3 * times['scipy']:.0f} ms ({result.nfev}, {result.fun:.8f}): "
        f"{at_least(times['scipy'] / times['ours'], 2)} times as fast; per evaluation "
        f"{times['scipy'] / result.nfev / (times['ours'] / progress[2]):.2f}"
    )


def lbfgs_against_bare(hidden: tuple[int, ...], dtype: str = "float32", times: int = 100) -> None:
    """The price of a search, in evaluations."""
    evaluate, start = objective(hidden, dtype)
    theta = tf.constant(start)
    ours, bare = compiled_descent(LimitedMemory(), evaluate, times, 0.0), bare_loop(evaluate, times)
    seconds = interleaved(15, ours=lambda: ours(theta)[1].numpy(), bare=lambda: bare(theta)[1].numpy())
    evaluations = ours(theta)[0].numpy()[2]
    each, alone = seconds["ours"] / evaluations, seconds["bare"] / times
    print(
        f"lbfgs {len(start):,} {dtype}: {1e3 * each:.3f} ms per evaluation, alone {1e3 * alone:.3f} ms: "
        f"{at_most(each / alone, 1.15)} times the bare evaluation ({evaluations:.0f} evaluations)"
    )


def bfgs_against_scipy(hidden: tuple[int, ...], dtype: str = "float64", cap: int = 20) -> None:
    """Time per iteration; SciPy is stopped after `cap` of them, for it needs O(n^3) each."""
    evaluate, start = objective(hidden, dtype)
    ours = compiled_descent(Dense(), evaluate, 100, 0.0)
    single = tf.function(evaluate, jit_compile=True)
    theta = tf.constant(start)
    run_scipy = partial(scipy_run, "BFGS", single, start, {"maxiter": cap, "gtol": 0})
    seconds = interleaved(3, ours=lambda: ours(theta)[1].numpy(), scipy=run_scipy)
    each, theirs = seconds["ours"] / ours(theta)[0].numpy()[3], seconds["scipy"] / run_scipy().nit
    print(
        f"bfgs {len(start):,} {dtype}: ours {1e3 * each:.2f} ms per iteration, scipy {1e3 * theirs:.1f} ms (first "
        f"{cap} iterations): {at_least(theirs / each, 50)} times as fast"
    )


def fit_against_loop(steps: int = 1_000) -> None:
    """What plain `fit` with `steps_per_execution=100` adds to an evaluation of the same objective in the graph."""
    evaluate, start = objective((), "float32")
    ours = compiled_descent(LimitedMemory(), evaluate, 100, 0.0)
    theta = tf.constant(start)
    data = tf.data.Dataset.from_tensors((FEATURES.astype("float32"), TARGETS)).cache().repeat()
    for jit in (False, True):
        model = keras.Sequential(
            [keras.layers.Input((64,)), keras.layers.Dense(10, kernel_regularizer=keras.regularizers.L2(L2))]
        )
        model.compile(
            optimizer=fdl_zoo.optimizers.lbfgs.build(tolerance=0.0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=100,
            jit_compile=jit,
        )

        def fit(model: keras.Model = model) -> None:
            # A new start before each round keeps the search busy.
            model.set_weights([start[:640].reshape(64, 10), start[640:]])
            model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)

        model.set_weights([start[:640].reshape(64, 10), start[640:]])
        one_loss = model.evaluate(FEATURES.astype("float32"), TARGETS, batch_size=len(TARGETS), verbose=0)
        np.testing.assert_allclose(one_loss, evaluate(theta)[0], rtol=1e-5)  # both sides minimize the same
        seconds = interleaved(15, ours=lambda: ours(theta)[1].numpy(), fit=fit)
        each, alone = 1e3 * seconds["fit"] / steps, 1e3 * seconds["ours"] / ours(theta)[0].numpy()[2]
        print(
            f"fit 650, jit_compile={jit}: {each:.3f} ms per evaluation, in the graph {alone:.3f} ms: "
            f"{at_most(each - alone, 0.4)} ms more"
        )


def trainer_against_loop(steps: int = 100) -> None:
    """What `fdl.train` takes per evaluation of bfgs, its checkpoints and validation included, to the search alone.

    Both are compiled by XLA, as `fdl.train` chooses for a thousand steps; the second epoch's time counts.
    """
    data = fdl_zoo.load_dataset("digits").train
    evaluate, start = objective((), "float32", 0.0, (data.x.reshape(len(data), -1), data.y))
    ours = compiled_descent(Dense(), evaluate, steps, 0.0)
    theta = tf.constant(start)
    settings = ["tracking.enabled=false", f"steps_per_epoch={steps}"]  # without l2 no optimum ends the search early
    per_epoch = []

    def train() -> None:
        with tempfile.TemporaryDirectory() as root:
            optimizer = {"name": "bfgs", "tolerance": 0.0}
            run = fdl_zoo.train(
                "logistic_regression", data="digits", optimizer=optimizer, epochs=10, root=root, settings=settings,
                progress=Silent(),
            )  # fmt: skip
            per_epoch.append(run.history["epoch_seconds"][1])

    seconds = interleaved(8, ours=lambda: ours(theta)[1].numpy(), train=train)
    each, alone = float(np.quantile(per_epoch[1:], 0.25)) / steps, seconds["ours"] / ours(theta)[0].numpy()[2]
    print(
        f"fdl.train bfgs 650: {1e3 * each:.3f} ms per evaluation, in the graph {1e3 * alone:.3f} ms: "
        f"{at_most(each / alone, 1.5)} times"
    )


if __name__ == "__main__":
    for hidden in ((), (16, 16), (32, 32)):  # 650, 1,482 and 3,466 parameters
        for dtype in ("float32", "float64"):  # Keras's own type, and the one whose steps are SciPy's
            lbfgs_against_scipy(hidden, dtype)
    lbfgs_against_bare((256, 312))
    bfgs_against_scipy((16, 16))
    fit_against_loop()
    trainer_against_loop()
