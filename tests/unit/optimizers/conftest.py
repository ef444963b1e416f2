"""Keras in double precision, and one strategy for all tests of two replicas."""

import keras
import pytest
import tensorflow as tf


@pytest.fixture
def float64():
    keras.backend.set_floatx("float64")
    yield
    keras.backend.set_floatx("float32")


@pytest.fixture(scope="session")
def mirrored() -> tf.distribute.Strategy:
    """One for the process: a second on the same devices numbers its collective operations as the first did."""
    assert len(tf.config.list_logical_devices("CPU")) >= 2, "TensorFlow started before the processor was split in two."
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def two_replicas(mirrored) -> tf.distribute.Strategy:
    return mirrored
