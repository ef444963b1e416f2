"""What all tests share: no plugins or tracking server of this machine, a quiet TensorFlow with two logical CPUs."""

import gc
import os
import sys
from contextlib import nullcontext

# Set before anything imports them: discovery is off unless a test asks for it, and no server is ever addressed.
os.environ["FDL_ZOO_PLUGINS"] = "none"
os.environ.pop("FDL_ZOO_PLUGINS_DIR", None)
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "agg"

import pytest

gc.disable()  # until all is imported, see pytest_collection_finish


@pytest.fixture
def catalogue_afresh():
    """The catalogue, looked at anew before and after: for tests that change what there is to discover."""
    from fdl_zoo import catalogue

    catalogue.refresh()
    yield catalogue
    catalogue.refresh()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pytest_collection_finish(session):
    """Split the CPU once for all tests of several replicas: TensorFlow allows it only until its devices start."""
    if "tensorflow" in sys.modules:
        split_cpu()
    gc.freeze()  # what was imported stays; looking through it again and again took a twentieth of all tests' time
    gc.enable()


def split_cpu():
    """Make two logical CPUs, or find them made."""
    import tensorflow as tf

    physical = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(physical) or ()) < 2:
        tf.config.set_logical_device_configuration(physical, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(scope="module")
def undrawn():
    """Runs of this process end without their figures, which are a quarter of the time of a short one."""
    from fdl_zoo.training.session import Session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "_illustrated", lambda self, data: nullcontext())
        yield


@pytest.fixture
def float64():
    """Keras in double precision."""
    import keras

    policy = keras.config.dtype_policy()  # once asked for, Keras's default for layers no longer follows floatx
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def two_replicas():
    """The process's mirrored strategy over two logical CPUs; a second one would fail in its collective operations."""
    split_cpu()
    from fdl_zoo.training.strategy import mirrored

    return mirrored(("CPU:0", "CPU:1"))
