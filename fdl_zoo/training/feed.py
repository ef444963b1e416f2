"""Feeds `fit` and `evaluate` with blocks of steps: indices into data that stay on the device, or are streamed."""

import inspect
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters.data_adapter import DataAdapter
from keras.src.trainers.epoch_iterator import EpochIterator

from fdl_zoo.errors import InvalidOption
from fdl_zoo.training.batches import Batches
from fdl_zoo.training.strategy import Undivided


def count_examples(data: tuple[Any, ...]) -> int:
    """How many examples a batch or a whole split has."""
    return len(keras.tree.flatten(data)[0])


@dataclass(frozen=True)
class Callers:
    """Who asks for an epoch.

    Args:
        counting: What counts its steps, or None.
        model: The model whose steps they are, or None.
        method: Its method, such as `fit`.
        given: What that was called with, by name.
    """

    counting: Any = None
    model: keras.Model | None = None
    method: str = ""
    given: dict[str, Any] = field(default_factory=dict)


def _callers() -> Callers:
    frame, counting = inspect.currentframe(), None
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, EpochIterator):
            counting = owner
        if isinstance(owner, keras.Model) and not frame.f_code.co_name.startswith("_"):
            return Callers(counting, owner, frame.f_code.co_name, frame.f_locals)
        frame = frame.f_back
    return Callers(counting)


def _refuse_beside(callers: Callers) -> None:
    """Keras looks at none of these beside a feed, and would say nothing."""
    ignored = [name for name in ("y", "sample_weight", "class_weight") if callers.given.get(name) is not None]
    if ignored:
        raise InvalidOption(
            f"{callers.method} cannot take {' and '.join(ignored)} beside accelerated data: give accelerate the"
            " targets, and the weight of each example as its sample_weight."
        )


def _refuse_replicas(model: keras.Model | None, method: str) -> None:
    replicas = 1 if model is None else model.distribute_strategy.num_replicas_in_sync
    if replicas > 1:
        raise InvalidOption(
            f"{method} cannot take accelerated data on {replicas} replicas: Keras would compute each example {replicas}"
            f" times; give {method} the arrays, or accelerate this model for fit and evaluate."
        )


def _runs_blocks(model: keras.Model | None) -> bool:
    """Whether the train function is an engine's; after `compile` it is Keras's own, which takes batch by batch."""
    return hasattr(getattr(getattr(model, "train_function", None), "__self__", None), "losses")


def _divisor(steps: int, most: int) -> int:
    """The largest divisor of `steps` up to `most`: whole blocks end where the steps that were asked for end."""
    return next(each for each in range(min(steps, most), 0, -1) if steps % each == 0)


@dataclass(frozen=True)
class Block:
    """What one compiled call works through.

    Args:
        data: Inputs and, where there are any, targets and weights: a tuple of arrays [examples, ...] or of structures
            of arrays, as Keras's steps take them.
        rows: Indices of each step's examples [steps, batch]; None where every step takes all of `data`.
        count: How many of the steps are to be done; the rest only keep the shape, so that nothing is compiled anew.
        weight: How much each step's loss counts; None for once. One of differing micro-batches counts by its size.
    """

    data: tuple[Any, ...]
    rows: np.ndarray | None
    count: int
    weight: float | None = None


class Feed(DataAdapter):
    """The batches of a split in blocks; pass it to `fit` or `evaluate` of an accelerated model as `x`.

    Keras takes a data adapter as it is. Each epoch it asks for an iterator and hands that to the train function, which
    draws blocks from it; whoever draws single batches (a model compiled anew, say) gets them too.

    Args:
        batches: The order of examples and where they come from.
        block: Steps per compiled call.
        resident: Keep the whole split on the device; else each block is read while the one before it is computed.

    Attributes:
        length: Steps per call in the present epoch: `block`, or fewer where `fit` is given a number of steps or there
            are fewer.
        moves_on: Whether the next pass has an order of its own; not after an evaluation, which would change training.
    """

    def __init__(self, batches: Batches, block: int, resident: bool) -> None:
        self.batches = batches
        self.block = self.length = block
        self.done = (0, 0)
        self.moves_on = True
        self._counting: Callable[[], Any] = lambda: None
        self.data: tuple[Any, ...] | None = None
        if resident:
            self.data = batches.split.take(np.arange(len(batches.split)))

    def skip(self, epoch: int, steps: int) -> None:
        """Leave the first steps of an epoch out: an earlier process has done them."""
        self.done = epoch, steps

    @property
    def first_step(self) -> int:
        """Steps of the present epoch that are done already."""
        epoch, steps = self.done
        return steps if self.batches.epoch == epoch else 0

    def on_epoch_begin(self) -> None:
        """Let Keras count in blocks, for this data alone; it calls this where it begins to count.

        Its `steps_per_execution` holds for all data of a model: arrays and generators would be read beyond the steps
        that `fit`, `evaluate` or `predict` are asked for. So it is set where only this epoch's steps are counted: in
        the iterator over them, which Keras hands to nobody, and which is found among the callers of this method.

        Raises:
            InvalidOption: Keras's own function, which takes single batches, would give each to all replicas; or its
                method was given targets or weights beside this feed.
        """
        callers = _callers()
        counting, model, method = callers.counting, callers.model, callers.method
        _refuse_beside(callers)
        self.moves_on = method not in ("evaluate", "predict")
        if method == "predict" or not _runs_blocks(model):
            _refuse_replicas(model, method)
            return
        asked = counting.steps_per_epoch
        self.length = _divisor(asked, self.block) if asked else min(self.block, self.num_batches)
        counting.steps_per_execution = self.length
        self._counting = weakref.ref(counting)

    def count_block(self, step: int, steps: int) -> int:
        """How many steps more Keras counts for a block than it has; also lets it count those of the next one.

        Keras adds up just before each call. The last block of an epoch may be shorter than the others, unless `fit` is
        given a number of steps, which whole blocks make up: one that the data end in is counted whole.

        Args:
            step: The step at which the next block begins.
            steps: Of this block.
        """
        counting = self._counting()
        if counting is None or counting.steps_per_epoch:
            return self.length - steps
        if step < self.num_batches:
            counting.steps_per_execution = min(self.length, self.num_batches - step)
        return 0

    @property
    def num_batches(self) -> int:
        """Steps per epoch."""
        return len(self.batches)

    @property
    def batch_size(self) -> int:
        """Examples per step."""
        return self.batches.batch_size

    @property
    def has_partial_batch(self) -> bool:
        """Whether the last step of an epoch has fewer examples."""
        return bool(self.partial_batch_size)

    @property
    def partial_batch_size(self) -> int:
        """Examples of that step; 0 where all are whole."""
        return 0 if self.batches.full or self.batches.drop_remainder else len(self.batches.split) % self.batch_size

    def get_tf_dataset(self) -> Undivided:
        """What Keras takes an iterator from at the start of each epoch."""
        return Undivided(lambda: Epoch(self))


class Epoch(Iterator):
    """One pass over a feed, in blocks or batch by batch; at its end the next epoch's order is drawn.

    Attributes:
        counted_beyond: Steps that Keras counts for the latest block and that it does not have.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed, self.step, self.counted_beyond = feed, 0, 0
        self._reader: ThreadPoolExecutor | None = None
        self._coming: Future[list[Block]]

    def __next__(self) -> tuple[Any, ...]:
        if self.step >= len(self.feed.batches):
            raise StopIteration
        batch = self.feed.batches[self.step]
        self._advance(1)
        return batch

    def next_block(self) -> list[Block]:
        """The steps of the next block: those with whole batches, then the last one where it is smaller.

        None are left of a block whose steps are all done already.
        """
        steps = self._next_steps(self.step)
        if not steps:
            raise StopIteration
        to_do = self._to_do(steps)
        found = [] if not to_do else self._resident(to_do) if self.feed.data is not None else self._stream(to_do)
        self._advance(len(steps))
        self.counted_beyond = self.feed.count_block(self.step, len(steps))
        return found

    def first_block(self) -> list[Block]:
        """The steps of the first block, without drawing it: what a step is traced with."""
        steps = self._next_steps(0)
        return self._resident(steps) if self.feed.data is not None else self._read(steps)

    def _next_steps(self, start: int) -> range:
        return range(start, min(start + self.feed.length, len(self.feed.batches)))

    def _to_do(self, steps: range) -> range:
        return range(max(steps.start, self.feed.first_step), steps.stop)

    def _whole(self, steps: range) -> range:
        """Those with whole batches: all but the last one of an epoch, where that one is smaller."""
        return steps[:-1] if self.feed.has_partial_batch and steps[-1] == len(self.feed.batches) - 1 else steps

    @property
    def _length(self) -> int:
        """Steps that each block has room for, so that all have one shape."""
        return min(self.feed.length, len(self.feed.batches))

    def _resident(self, steps: range) -> list[Block]:
        feed = self.feed
        if feed.batches.micro_batches > 1:  # one by one: what must be cut takes long enough for a call
            return [
                Block(feed.data, feed.batches.indices(step)[None].astype(np.int32), 1, feed.batches.weight(step))
                for step in steps
            ]
        if feed.batches.full:
            return [Block(feed.data, None, len(steps))]
        whole, blocks = self._whole(steps), []
        if whole:
            rows = np.zeros((self._length, feed.batch_size), np.int32)
            rows[: len(whole)] = [feed.batches.indices(step) for step in whole]
            blocks.append(Block(feed.data, rows, len(whole)))
        # The smaller one is handed over: XLA would fuse its gather into the step, and round otherwise than plain `fit`.
        if len(whole) < len(steps):
            blocks.append(Block(feed.batches[steps[-1]], None, 1))
        return blocks

    def _stream(self, steps: range) -> list[Block]:
        """A block read from disk; the next one is read while this one is computed."""
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1)
            self._coming = self._reader.submit(self._read, steps)
        found = self._coming.result()
        following = self._next_steps(steps.stop)
        if following:
            self._coming = self._reader.submit(self._read, following)
        else:
            self._reader.shutdown()
        return found

    def _read(self, steps: range) -> list[Block]:
        feed = self.feed
        if feed.batches.micro_batches > 1:
            return [Block(feed.batches[step], None, 1, feed.batches.weight(step)) for step in steps]
        whole, blocks = self._whole(steps), []
        if whole:
            rows = np.arange(self._length * feed.batch_size, dtype=np.int32).reshape(-1, feed.batch_size)
            blocks.append(Block(self._joined(whole), rows, len(whole)))
        if len(whole) < len(steps):
            blocks.append(Block(feed.batches[steps[-1]], None, 1))
        return blocks

    def _joined(self, steps: range) -> tuple[Any, ...]:
        """The batches of some steps, one after the other in arrays with room for a whole block.

        Each is put in its place as soon as it is read: never are there two copies of a block.
        """
        size, joined = self.feed.batch_size, None
        for place, step in enumerate(steps):
            batch = self.feed.batches[step]
            if joined is None:
                joined = keras.tree.map_structure(
                    lambda part: np.zeros((self._length * size, *part.shape[1:]), part.dtype), batch
                )
            for whole, part in zip(keras.tree.flatten(joined), keras.tree.flatten(batch), strict=True):
                whole[place * size : (place + 1) * size] = part
        return joined

    def _advance(self, steps: int) -> None:
        self.step += steps
        if self.step >= len(self.feed.batches) and self.feed.moves_on:
            self.feed.batches.on_epoch_end()
