"""What tracking costs: milliseconds on the training thread per epoch, seconds per run, a share of long epochs.

Run by itself: `python tests/benchmarks/tracking.py`.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from _verdict import at_most

import fdl_zoo as fdl
from fdl_zoo.training.hooks import Recording
from fdl_zoo.training.progress import Silent

EPOCHS = 30


def recorded(model, epochs, root, enabled=True, enlarge=1):
    """When the record of each epoch began and ended on the training thread, [epochs, 2] seconds."""
    times, record = [], Recording.on_epoch_end

    def timed(self, epoch, logs=None):
        before = time.perf_counter()
        record(self, epoch, logs)
        times.append((before, time.perf_counter()))

    Recording.on_epoch_end = timed
    settings = [f"tracking.enabled={str(enabled).lower()}"]
    try:
        data = {"name": "digits", "enlarge": enlarge}
        fdl.train(model, data=data, epochs=epochs, root=root, progress=Silent(), settings=settings)
    finally:
        Recording.on_epoch_end = record
    return np.array(times)


def epoch_seconds(root, enabled):
    """The median length of an epoch of the convnet on images of 16x16, from record to record."""
    return float(np.median(np.diff(recorded("convnet", 8, root, enabled, enlarge=2)[:, 1])))


def seconds(root, enabled):
    """How long a run of one epoch takes."""
    before = time.perf_counter()
    settings = [f"tracking.enabled={str(enabled).lower()}"]
    fdl.train("mlp", data="digits", epochs=1, root=root, progress=Silent(), settings=settings)
    return time.perf_counter() - before


def main():
    """Measure with the embedded store, which the first run makes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "mlruns"
        for model in ("mlp", "convnet"):
            costs = 1000 * np.diff(recorded(model, EPOCHS if model == "mlp" else 8, root))[:, 0]
            print(f"epoch of {model}: median {at_most(float(np.median(costs)), 15)} ms, all below {costs.max():.2f} ms")
        pairs = [(seconds(root, True), seconds(root, False)) for _ in range(4)][1:]
        tracked, bare = (statistics.median(each) for each in zip(*pairs, strict=True))
        print(f"run: {tracked:.2f} s tracked, {bare:.2f} s without: {at_most(tracked - bare, 3)} s")
        pairs = [(epoch_seconds(root, True), epoch_seconds(root, False)) for _ in range(3)]
        tracked, bare = (statistics.median(each) for each in zip(*pairs, strict=True))
        share = at_most(100 * (tracked / bare - 1), 3)
        print(f"epochs of {bare:.2f} s: {tracked:.2f} s tracked: {share} % more")


if __name__ == "__main__":
    main()
