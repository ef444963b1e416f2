"""The order of examples: a pure function of seed and epoch, so that an interrupted run sees the same as any other."""

import math
from typing import Literal

import keras
import numpy as np

from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidData


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
        micro_batches: What a full batch is cut into; the optimizer accumulates over them.
        drop_remainder: Leave the last, smaller batch out.
        reshuffle: Draw a new order each epoch; False keeps the first epoch's.

    Raises:
        InvalidData: There are fewer examples than micro-batches.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int | Literal["full"],
        *,
        seed: int | None = None,
        steps: int = 1,
        micro_batches: int = 1,
        drop_remainder: bool = False,
        reshuffle: bool = True,
    ) -> None:
        super().__init__()
        self.split, self.seed = split, seed
        self.full = batch_size == "full"
        self.micro_batches = micro_batches if self.full else 1
        if self.micro_batches > max(len(split), 1):
            raise InvalidData(
                f"A full batch of {len(split)} examples cannot be cut into {micro_batches}: let the optimizer's"
                " gradient_accumulation_steps be less, or leave it out."
            )
        self.batch_size = math.ceil(len(split) / self.micro_batches) if self.full else int(batch_size)
        self.steps, self.drop_remainder, self.reshuffle = steps, drop_remainder, reshuffle
        self.go_to(0)

    def __len__(self) -> int:
        if self.full:
            return self.steps * self.micro_batches
        whole, rest = divmod(len(self.split), self.batch_size)
        return whole if self.drop_remainder or not rest else whole + 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.split.take(self.indices(index), self.epoch)

    def indices(self, step: int) -> np.ndarray:
        """Which examples a step of this epoch takes [batch]."""
        if self.full:
            return np.array_split(self._order, self.micro_batches)[step % self.micro_batches]
        start = step * self.batch_size
        return self._order[start : start + self.batch_size]

    def weight(self, step: int) -> float | None:
        """How much a micro-batch counts, so that the mean over all of them is the full batch's; None where all do."""
        if len(self.split) % self.micro_batches == 0:
            return None
        return len(self.indices(step)) * self.micro_batches / len(self.split)

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
