"""Imports Keras and TensorFlow without their noise on the terminal."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fdl_zoo.errors import ZooError


def load(verbose: bool = False) -> Any:
    """Import Keras on TensorFlow, register our layers, optimizers and losses, and return the module `keras`.

    Args:
        verbose: Let TensorFlow's start-up messages through.

    Raises:
        ZooError: Keras runs on another backend in this process or environment.
    """
    if "tensorflow" not in sys.modules and not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with silenced():
            return _load()
    return _load()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking, again and again, through all that an import makes, which stays."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_uncollected()
def _load() -> Any:
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise ZooError(
            f"Training cannot use Keras's backend {keras.backend.backend()!r}: set KERAS_BACKEND=tensorflow."
        )
    for gpu in tf.config.list_physical_devices("GPU"):
        if not tf.config.experimental.get_memory_growth(gpu):
            _grow_memory(tf, gpu)
    import fdl_zoo.models
    import fdl_zoo.optimizers
    import fdl_zoo.training.losses  # noqa: F401 -- all three register what files name with Keras

    return keras


def _grow_memory(tf: Any, gpu: Any) -> None:
    try:
        tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # the process has used the GPU before us: its setting stays
        return


@contextmanager
def silenced() -> Iterator[None]:
    """Point file descriptor 2 at a file while TensorFlow starts; its text is replayed if something fails.

    `TF_CPP_MIN_LOG_LEVEL` alone no longer silences the C++ start-up lines.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        except BaseException:
            noise.seek(0)
            os.write(kept, noise.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
