"""Keras in double precision, and one strategy for all tests of two replicas."""

import keras
import pytest
import tensorflow as tf


@pytest.fixture
def float64():
    policy = keras.config.dtype_policy()  # once asked for, Keras's default for layers no longer follows floatx
    keras.backend.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.backend.set_floatx("float32")
    keras.config.set_dtype_policy(policy)


@pytest.fixture(scope="session")
def mirrored() -> tf.distribute.Strategy:
    """One for the process: a second on the same devices numbers its collective operations as the first did."""
    assert len(tf.config.list_logical_devices("CPU")) >= 2, "TensorFlow started before the processor was split in two."
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def two_replicas(mirrored) -> tf.distribute.Strategy:
    return mirrored
