"""Two replicas on one processor, and Keras in double precision."""

import keras
import pytest
import tensorflow as tf


@pytest.fixture(scope="session", autouse=True)
def logical_devices() -> int:
    """Splits the processor in two, unless TensorFlow has started; how many devices there are."""
    processor = tf.config.list_physical_devices("CPU")[0]
    if tf.config.get_logical_device_configuration(processor) is None:
        try:
            tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
        except RuntimeError:
            pass  # TensorFlow has started; `two_replicas` says so if it is asked for
    return len(tf.config.list_logical_devices("CPU"))


@pytest.fixture
def two_replicas(logical_devices: int) -> tf.distribute.Strategy:
    assert logical_devices >= 2, "TensorFlow started before the processor was split in two: do it in tests/conftest.py."
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def float64():
    keras.backend.set_floatx("float64")
    yield
    keras.backend.set_floatx("float32")
