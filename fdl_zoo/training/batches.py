"""The order of examples: a pure function of seed and epoch, so that an interrupted run sees the same as any other."""

from typing import Literal

import keras
import numpy as np

from fdl_zoo.data import Split


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits `count` examples [count]; epochs count from 0."""
    return np.random.default_rng((seed, epoch)).permutation(count)


class Batches(keras.utils.PyDataset):
    """The batches of a split for `fit` and `evaluate`, read at random from memory or disk.

    Args:
        split: Where examples come from.
        batch_size: Examples per batch, or `full` for all of them in each step.
        seed: Shuffles each epoch by `epoch_order`; None keeps the split's own order.
        steps: Steps per epoch where the batch is full.
        drop_remainder: Leave the last, smaller batch out.
        reshuffle: Draw a new order each epoch; False keeps the first epoch's.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int | Literal["full"],
        *,
        seed: int | None = None,
        steps: int = 1,
        drop_remainder: bool = False,
        reshuffle: bool = True,
    ) -> None:
        super().__init__()
        self.split, self.seed = split, seed
        self.full = batch_size == "full"
        self.batch_size = len(split) if self.full else int(batch_size)
        self.steps, self.drop_remainder, self.reshuffle = steps, drop_remainder, reshuffle
        self.go_to(0)

    def __len__(self) -> int:
        if self.full:
            return self.steps
        whole, rest = divmod(len(self.split), self.batch_size)
        return whole if self.drop_remainder or not rest else whole + 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.split.take(self.indices(index), self.epoch)

    def indices(self, step: int) -> np.ndarray:
        """Which examples a step of this epoch takes [batch]."""
        start = 0 if self.full else step * self.batch_size
        return self._order[start : start + self.batch_size]

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order."""
        self.go_to(self.epoch + 1)

    def go_to(self, epoch: int) -> None:
        """Take the order of an epoch, counted from 0."""
        self.epoch = epoch
        self._order = self._epoch_order()

    def _epoch_order(self) -> np.ndarray:
        if self.seed is None or self.full:  # a full batch is the same set in any order
            return np.arange(len(self.split))
        return epoch_order(len(self.split), self.seed, self.epoch if self.reshuffle else 0)
