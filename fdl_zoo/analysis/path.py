"""The path of training through the space of weights, as the callback `weight_path` keeps it in the run's folder."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FOLDER = "weight_path"  # in the run's folder


class WeightPath:
    """Snapshots of all weights of a model, a file per training step at which one was taken.

    Args:
        folder: Where the files are; made by the first one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def steps(self) -> list[int]:
        """The training steps that have a snapshot, in order; 0 is before training."""
        found = (re.fullmatch(r"step_(\d+)\.npz", path.name) for path in self.folder.glob("step_*.npz"))
        return sorted(int(match[1]) for match in found if match)

    def read(self, step: int) -> list[np.ndarray]:
        """All weights of the model at a step, in the order of `model.get_weights()`."""
        with np.load(self._file(step)) as arrays:
            return [arrays[f"arr_{index}"] for index in range(len(arrays.files))]

    def write(self, step: int, weights: Sequence[np.ndarray]) -> None:
        """Keeps the weights of a step; the file is there whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{os.getpid()}.part"
        try:
            with temporary.open("wb") as stream:
                np.savez(stream, *weights)
            temporary.replace(self._file(step))
        finally:
            temporary.unlink(missing_ok=True)

    def keep(self, steps: Sequence[int]) -> None:
        """Removes all snapshots but those of `steps`."""
        for step in set(self.steps()) - set(steps):
            self._file(step).unlink()

    def _file(self, step: int) -> Path:
        return self.folder / f"step_{step:09d}.npz"
