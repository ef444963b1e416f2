"""Keeping, the last callback of a run: writes its checkpoints, goes on from one, obeys signals between blocks."""

import math
import time
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import keras
import numpy as np

from fdl_zoo.errors import InvalidData
from fdl_zoo.spec import CheckpointSpec
from fdl_zoo.tasks import loss_is_finite
from fdl_zoo.training import callback_state
from fdl_zoo.training.checkpoints import Checkpoints, State, capture, restore
from fdl_zoo.training.engine import Engine
from fdl_zoo.training.feed import Feed
from fdl_zoo.training.interruption import Signals
from fdl_zoo.training.seeds import set_seeds
from fdl_zoo.training.strategy import gathered, replica_numbers

PATIENCE = 3.0  # seconds that a signal waits for the end of a validation


class Callbacks(keras.callbacks.CallbackList):
    """The callbacks of a run, not called for blocks whose steps an earlier process has done.

    Args:
        callbacks: In their order.
        feed: Knows which steps those are.
        **facts: `model`, `epochs` and `steps`, as `fit` would give them.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], feed: Feed, **facts: Any) -> None:
        super().__init__([*callbacks], add_history=True, verbose=0, **facts)
        self.feed = feed
        self._skips = False

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Hand on the beginning of a block."""
        self._skips = self.feed.first_step >= min(batch + self.feed.length, self.feed.num_batches)
        if not self._skips:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Hand on the end of a block."""
        if not self._skips:
            super().on_train_batch_end(batch, logs)


class Keeping(keras.callbacks.Callback):
    """Put last: what it writes holds what all others have done.

    Args:
        checkpoints: Where states go.
        feed: What is trained on.
        when: Which checkpoints are written within an epoch.
        seed: Of the run.
        signals: What may ask the run to end.
        say: Told what the user should know.
        start: The state to go on from; None begins anew.
    """

    at_block_end = True

    def __init__(
        self,
        checkpoints: Checkpoints,
        feed: Feed,
        *,
        when: CheckpointSpec,
        seed: int,
        signals: Signals,
        say: Callable[[str], None],
        start: State | None = None,
    ) -> None:
        super().__init__()
        self.checkpoints, self.feed, self.when = checkpoints, feed, when
        self.seed, self.signals, self.say, self.start = seed, signals, say, start
        self.others: Sequence[keras.callbacks.Callback] = ()
        self._due: set[str] = set()
        self._epoch = self._steps = self._written_steps = 0
        self._written_at = 0.0

    def keep(self, name: str) -> None:
        """Called by the callback `checkpoint`: what is due is written once all callbacks are done with the epoch."""
        self._due.add(name)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Take up the state to go on from: weights, optimizer, and each callback's own."""
        if self.start:
            restore(self.model, self.start)
            names = [type(each).__name__ for each in self.others]
            if names != [name for name, _ in self.start.callbacks]:
                raise InvalidData(
                    f"The checkpoint cannot be restored: it is of other callbacks than {', '.join(names)}."
                )
            for callback, (_, state) in zip(self.others, self.start.callbacks, strict=True):
                callback_state.set_state(callback, state)
            self.feed.skip(self.start.epoch, self.start.step)
        self._note_written()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Set order and masks of this epoch; within one that had begun, go on from its middle."""
        self._epoch = epoch
        self._steps = max(self._steps, epoch * self.feed.num_batches)
        self.feed.batches.go_to(epoch)
        set_seeds(self.model, self.seed, epoch)
        if self.start and self.start.step and epoch == self.start.epoch:
            Engine.of(self.model).build(self.feed)
            restore(self.model, self.start, ("variables", "optimizer", "metrics"))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write a checkpoint within the epoch where one is due, or where the run is asked to end.

        Not where the epoch ends here, unless the run does: the epoch's end writes one with its validation.
        """
        steps = min(batch + 1, self.feed.num_batches)
        self._steps = self._epoch * self.feed.num_batches + steps
        due = self.when.steps and self._steps - self._written_steps >= self.when.steps
        due = due or (self.when.seconds and time.monotonic() - self._written_at >= self.when.seconds)
        due, asked, finite = self._agree(bool(due), loss_is_finite(self.model, logs))
        if self.model.stop_training or (steps == self.feed.num_batches and not asked):
            return
        if (due or asked) and finite:
            self._write(self._state(self._epoch, steps))
        if asked:
            self.signals.raise_pending()

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Let a validation end, unless that takes too long for who asked the run to end."""
        over, _, _ = self._agree(bool(self.signals.pending) and time.monotonic() - self.signals.since > PATIENCE)
        if over:
            self.signals.raise_pending()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the state after this epoch where it is due; one that is not finite never replaces a good one."""
        others = [value for name, value in (logs or {}).items() if name.endswith("loss") and name != "loss"]
        finite = loss_is_finite(self.model, logs) and all(map(math.isfinite, others))
        due, asked, finite = self._agree(bool(self._due), finite)
        over = self.model.stop_training or epoch + 1 == self.params["epochs"] or asked
        if finite and (due or over):
            state, names = self._state(epoch + 1, 0), self._due | ({"last"} if over else set())
            self._write(state, names)
        self._due = set()
        if asked:
            self.signals.raise_pending()

    def _agree(self, due: bool, finite: bool = True) -> tuple[bool, bool, bool]:
        """Whether something is due, the run is asked to end, and all is finite: on any, or all, of the workers.

        What one of them does here all must do, or they would wait for each other for ever; so also one that stops.
        """
        strategy = self.model.distribute_strategy
        own = np.array([due, self.signals.number, self.model.stop_training, not finite], np.int64)
        found = gathered(strategy, [own] * len(replica_numbers(strategy))).max(axis=0)
        self.signals.ask(int(found[1]))
        self.model.stop_training = bool(found[2])
        return bool(found[0]), bool(found[1]), not found[3]

    def _state(self, epoch: int, step: int) -> State:
        return capture(
            self.model,
            epoch=epoch,
            step=step,
            iterations=int(self.model.optimizer.iterations.numpy()),
            stopped=bool(self.model.stop_training),
            callbacks=[[type(each).__name__, callback_state.get_state(each)] for each in self.others],
        )

    def _write(self, state: State, names: Set[str] = frozenset({"last"})) -> None:
        """Write; a disk that is full takes no training with it, and the checkpoints before this one are there still.

        Weights that are not finite, as the step after a good loss may leave them, never replace good ones.
        """
        if not all(np.isfinite(value).all() for values in state.variables for value in values):
            return
        try:
            self.checkpoints.write(state, names)
        except OSError as error:
            self.say(f"A checkpoint of epoch {self._epoch + 1} cannot be written ({error.strerror}): training goes on.")
        self._note_written()

    def _note_written(self) -> None:
        self._written_at = time.monotonic()
        self._written_steps = self._steps
