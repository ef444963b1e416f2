"""Seeds and precision of a run; Keras holds both globally, so what was set before is put back after."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def numerics(seed: int, precision: str) -> Iterator[None]:
    """Everything made inside draws from `seed` and computes in `precision`.

    Args:
        seed: For Python, NumPy, TensorFlow and Keras.
        precision: A dtype policy. `float64` sets Keras's `floatx` too, since optimizers keep their rate in it.
    """
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    if precision == "float64":
        keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(floatx)
