"""Keras in double precision."""

import keras
import pytest


@pytest.fixture
def float64():
    policy = keras.config.dtype_policy()  # once asked for, Keras's default for layers no longer follows floatx
    keras.backend.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.backend.set_floatx("float32")
    keras.config.set_dtype_policy(policy)
