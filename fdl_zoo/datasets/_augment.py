"""Training images changed anew in each epoch: mirrored, shifted, brightened (chapter 5).

What happens to an image is a function of seed, epoch and the image's index, so that a resumed run sees the same.
"""

import functools
from dataclasses import replace

import numpy as np

from fdl_zoo.data import Dataset, Split


def flip(images: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Mirrors half of the images left to right; draws [n, 2] in [0, 1)."""
    return np.where((draws[:, 0] < 0.5)[:, None, None, None], images[:, :, ::-1], images)


def shift(images: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Moves images by up to an eighth of their size along each axis; what comes in is zero; draws [n, 2] in [0, 1)."""
    height, width = images.shape[1:3]
    reach = np.array([max(1, height // 8), max(1, width // 8)])
    steps = np.floor(draws * (2 * reach + 1)).astype(int)  # 0 to 2 * reach: the padded image's corner
    padded = np.pad(images, [(0, 0), (reach[0],) * 2, (reach[1],) * 2, (0, 0)])
    rows = steps[:, :1] + np.arange(height)  # [n, height]
    columns = steps[:, 1:] + np.arange(width)  # [n, width]
    return padded[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


def brightness(images: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Adds up to a fifth of the range to every pixel, or takes it away; stays in [0, 1]; draws [n, 2] in [0, 1)."""
    return np.clip(images + (0.4 * draws[:, 0] - 0.2).astype(np.float32)[:, None, None, None], 0, 1)


CHANGES = {"flip": flip, "shift": shift, "brightness": brightness}


@functools.lru_cache(maxsize=2 * len(CHANGES))
def _draws(seed: int, epoch: int, number: int, count: int) -> np.ndarray:
    """Two numbers in [0, 1) for each image of a split, [count, 2], for one change in one epoch."""
    return np.random.default_rng((seed, epoch, number)).random((count, 2))


class AugmentedSplit(Split):
    """A part whose images [n, height, width, channels] in [0, 1] are changed as they are taken."""

    def __init__(self, split: Split, names: tuple[str, ...], seed: int) -> None:
        """Wraps a part.

        Args:
            split: The images as they are.
            names: Of `CHANGES`, each made at most once, in that table's order.
            seed: Fixes the changes.
        """
        self.split, self.seed = split, seed
        self.names = [name for name in CHANGES if name in names]

    def __len__(self) -> int:
        return len(self.split)

    def take(self, indices: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The images at `indices` [n] as this epoch sees them, and their labels."""
        images, labels = self.split.take(indices, epoch)
        for name in self.names:
            number = list(CHANGES).index(name)
            images = CHANGES[name](images, _draws(self.seed, epoch, number, len(self))[indices])
        return images, labels


def augmented(data: Dataset, names: tuple[str, ...], seed: int) -> Dataset:
    """The dataset with a changing training split; without names the dataset itself."""
    return replace(data, train=AugmentedSplit(data.train, names, seed)) if names else data
