"""Data that do not fit in memory: ten times as many take no more of it."""

import os
import subprocess
import sys

import numpy as np
import pytest

TRAIN = """
import re, sys
from pathlib import Path
import fdl_zoo as fdl
from fdl_zoo.datasets import npz
from fdl_zoo.training.progress import Silent

npz.IN_MEMORY = 0  # what a gigabyte would do to a bigger file
fdl.train(
    "logistic_regression", data={"name": "npz", "path": sys.argv[1]}, optimizer="sgd", epochs=1, batch_size=1000,
    root=sys.argv[2], progress=Silent(), settings=["tracking.enabled=false"],
)
# Not ru_maxrss, which a process takes over from the one that started it.
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak(folder, examples):
    """Peak memory in KiB of a process that trains on so many examples of 1,024 bytes from disk.

    Arrays go back to the system as they are freed. By default the C library keeps up to 60 MiB of them, by chance.
    """
    generator = np.random.default_rng(0)
    block = generator.integers(0, 256, (10_000, 1024), np.uint8)
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.uint8, (examples, 1024))
    for start in range(0, examples, len(block)):
        x[start : start + len(block)] = block
    np.savez(folder / "data.npz", x=x, y=np.arange(examples, dtype=np.uint8) % 10)
    del x
    (folder / "x.npy").unlink()
    command = [sys.executable, "-c", TRAIN, str(folder / "data.npz"), str(folder / "mlruns")]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert found.returncode == 0, found.stderr
    (folder / "data.npz").unlink()
    return int(found.stdout.split()[-1])


@pytest.mark.slow
def test_ten_times_the_data_streamed_take_no_more_memory(tmp_path):
    few, many = (peak(tmp_path, count) for count in (100_000, 1_000_000))
    assert many <= 1.1 * few, f"{many / 1024:.0f} MiB at 1 GB of data, {few / 1024:.0f} MiB at 100 MB"
    print(f"{few / 1024:.0f} MiB, {many / 1024:.0f} MiB: {many / few:.2f}")
