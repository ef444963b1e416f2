"""What tracking costs: milliseconds on the training thread per epoch, and seconds per run besides.

Run by itself: `python tests/benchmarks/tracking.py`.
"""

import statistics
import tempfile
import time
from pathlib import Path

import fdl_zoo as fdl
from fdl_zoo.training.hooks import Recording
from fdl_zoo.training.progress import Silent

EPOCHS = 30


def epoch_costs(root):
    """Milliseconds that each epoch's record takes on the training thread."""
    costs, record = [], Recording.on_epoch_end

    def timed(self, epoch, logs=None):
        before = time.perf_counter()
        record(self, epoch, logs)
        costs.append(1000 * (time.perf_counter() - before))

    Recording.on_epoch_end = timed
    try:
        fdl.train("mlp", data="digits", epochs=EPOCHS, root=root, progress=Silent())
    finally:
        Recording.on_epoch_end = record
    return costs


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
        costs = sorted(epoch_costs(root))
        print(f"epoch: median {statistics.median(costs):.2f} ms, 95 % below {costs[int(0.95 * len(costs))]:.2f} ms")
        pairs = [(seconds(root, True), seconds(root, False)) for _ in range(4)][1:]
        tracked, bare = (statistics.median(each) for each in zip(*pairs, strict=True))
        print(f"run: {tracked:.2f} s tracked, {bare:.2f} s without: {tracked - bare:.2f} s")


if __name__ == "__main__":
    main()
