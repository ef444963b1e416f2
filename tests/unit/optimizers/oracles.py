"""The book's rules in NumPy, written apart from the package: what every optimizer is held to."""

import keras
import numpy as np
import tensorflow as tf

CASES = {
    "sgd": ("sgd", {}),
    "momentum": ("momentum", {"momentum": 0.9}),
    "nesterov": ("momentum", {"momentum": 0.95, "nesterov": True}),
    "adagrad": ("adagrad", {"epsilon": 1e-7}),
    "rmsprop": ("rmsprop", {"rho": 0.9, "epsilon": 1e-6}),
    "rmsprop_corrected": ("rmsprop", {"rho": 0.99, "epsilon": 1e-6, "bias_correction": True}),
    "rmsprop_momentum": ("rmsprop", {"rho": 0.9, "epsilon": 1e-6, "momentum": 0.8, "bias_correction": True}),
    "rmsprop_centered": ("rmsprop", {"rho": 0.9, "epsilon": 1e-6, "momentum": 0.5, "centered": True}),
    "adam": ("adam", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    "adam_slow": ("adam", {"beta_1": 0.0, "beta_2": 0.5, "epsilon": 1e-3}),
}


def sgd(theta, gradients, rates):
    for g, e in zip(gradients, rates, strict=True):
        theta = theta - e * g
        yield theta


def momentum(theta, gradients, rates, momentum, nesterov=False):
    v = np.zeros_like(theta)
    for g, e in zip(gradients, rates, strict=True):
        v = momentum * v - e * g
        theta = theta + (momentum * v - e * g if nesterov else v)
        yield theta


def adagrad(theta, gradients, rates, epsilon):
    r = np.zeros_like(theta)
    for g, e in zip(gradients, rates, strict=True):
        r = r + g**2
        theta = theta - e * g / (epsilon + np.sqrt(r))
        yield theta


def rmsprop(theta, gradients, rates, rho, epsilon, momentum=0.0, centered=False, bias_correction=False):
    r, a, b = (np.zeros_like(theta) for _ in range(3))
    for t, (g, e) in enumerate(zip(gradients, rates, strict=True), 1):
        r = rho * r + (1 - rho) * g**2
        a = rho * a + (1 - rho) * g
        variance = r / (1 - rho**t) if bias_correction else r
        if centered:
            variance = variance - a**2
        b = momentum * b + e * g / (epsilon + np.sqrt(variance))
        theta = theta - b
        yield theta


def adam(theta, gradients, rates, beta_1, beta_2, epsilon):
    s, r = np.zeros_like(theta), np.zeros_like(theta)
    for t, (g, e) in enumerate(zip(gradients, rates, strict=True), 1):
        s = beta_1 * s + (1 - beta_1) * g
        r = beta_2 * r + (1 - beta_2) * g**2
        theta = theta - e * (s / (1 - beta_1**t)) / (epsilon + np.sqrt(r / (1 - beta_2**t)))
        yield theta


def path(case: str, theta: np.ndarray, gradients: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The oracle's weights after each step [steps, n], in float64."""
    name, options = CASES[case]
    rule = globals()[name]
    return np.array(list(rule(theta.astype(np.float64), gradients.astype(np.float64), rates, **options)))


class Rates(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that looks its rates up."""

    def __init__(self, rates: np.ndarray) -> None:
        self.rates = rates

    def __call__(self, step):
        return tf.gather(tf.constant(self.rates, keras.backend.floatx()), tf.convert_to_tensor(step))

    def get_config(self):
        return {"rates": self.rates.tolist()}


def run(optimizer, theta: np.ndarray, gradients: np.ndarray, jit: bool = False) -> np.ndarray:
    """The optimizer's weights after each step [steps, n], all steps in one compiled loop."""
    variable = keras.Variable(theta, dtype=keras.backend.floatx())
    optimizer.build([variable])
    stream = tf.constant(gradients, keras.backend.floatx())
    steps = len(gradients)

    @tf.function(jit_compile=jit)
    def loop():
        weights = tf.TensorArray(stream.dtype, steps)
        for index in tf.range(steps):
            optimizer.apply([stream[index]], [variable])
            weights = weights.write(index, variable.value.read_value())
        return weights.stack()

    return loop().numpy()


def random_steps(steps: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A start, gradients of scales from 1e-6 to 1e2, and rates between 1e-3 and 1e-2, all exact in float32."""
    random = np.random.default_rng(seed)
    scales = 10.0 ** random.uniform(-6, 2, (steps, 1))
    gradients = (scales * random.normal(size=(steps, size))).astype(np.float32)
    rates = (10.0 ** random.uniform(-3, -2, steps)).astype(np.float32).astype(np.float64)
    return random.normal(size=size).astype(np.float32), gradients, rates
