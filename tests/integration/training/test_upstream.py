"""What our engine works around in Keras: each test fails once upstream is mended, and says what can go then."""

import json
import os
import subprocess
import sys

import pytest

from fdl_zoo.training.cluster import _free_ports

pytestmark = pytest.mark.slow

# Plain Keras, none of ours: a small network, fitted under a strategy. It prints a word once `fit` has come to its end.
FIT = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
{devices}
strategy = {strategy}
with strategy.scope():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse", steps_per_execution={block})
model.fit(np.ones((32, 4), "float32"), np.ones((32, 3), "float32"), batch_size=8, verbose=0)
print("fitted")
"""
TWO_DEVICES = "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)"


def start(program, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.parametrize("block", [1, 4])
def test_steps_per_execution_under_a_mirrored_strategy(block):
    strategy = 'tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])'
    out, errors = start(FIT.format(devices=TWO_DEVICES, strategy=strategy, block=block)).communicate(timeout=120)
    if block == 1:  # so that what fails below is the block, and not this test
        assert "fitted" in out, errors
    else:
        mended = "keras #19246 is mended: predictions of an accelerated model can go in blocks (Engine.predict)"
        assert "fitted" not in out, mended
        assert "Error" in errors


def test_fit_under_a_multi_worker_strategy():
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    program = FIT.format(devices="", strategy="tf.distribute.MultiWorkerMirroredStrategy()", block=1)
    started = [
        start(program, TF_CONFIG=json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": k}}))
        for k in range(2)
    ]
    for process in started:
        out, errors = process.communicate(timeout=120)
        mended = "keras #20585 is mended: a multi-worker model can be built and fitted by Keras's own functions"
        assert "fitted" not in out, mended
        assert "PerReplica" in errors or "reduce" in errors
