"""The callbacks that the trainer itself puts into `fit`: one records the history, one reports progress."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.system import SystemSampler
from fdl_zoo.training.accelerate import accumulated_steps
from fdl_zoo.training.checkpoints import digest
from fdl_zoo.training.engine import Engine
from fdl_zoo.training.progress import Progress


def ordered(logs: Mapping[str, float]) -> dict[str, float]:
    """Keras's logs as plain numbers, training before validation and the loss first in each."""
    names = sorted(logs, key=lambda name: (name.startswith("val_"), not name.endswith("loss"), name))
    return {name: float(logs[name]) for name in names}


def _number(variable: Any) -> float:
    """A scalar variable as a number, whether one device holds it or several mirror it."""
    return float(keras.ops.convert_to_numpy(variable))


class Recording(keras.callbacks.Callback):
    """Appends a synced line to the run's history at the end of each epoch.

    Args:
        folder: The run's folder.
        notify: Told that there is something new to send.
        system: Samples how busy the machine is.
        log_every: Steps between two recorded values of `step_loss`; None records none.
        examples: How many examples an epoch trains on; its throughput includes validation. None records none.
    """

    at_block_end = True

    def __init__(
        self,
        folder: RunFolder,
        notify: Callable[[], None],
        system: SystemSampler,
        log_every: int | None = None,
        examples: int | None = None,
    ) -> None:
        super().__init__()
        self.folder, self.notify, self.system = folder, notify, system
        self.log_every, self.examples = log_every, examples
        self.begun = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock; a schedule has set this epoch's learning rate, and nobody has refused the model by then."""
        self.begun = True
        self.notify()
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the loss of the block's steps, every so many."""
        if self.log_every:
            losses, together = Engine.of(self.model).losses, accumulated_steps(self.model)
            first, every = self._batches() - len(losses) + 1, self.log_every * together
            batches = ((first + index, float(loss)) for index, loss in enumerate(losses))
            wanted = [(batch // together, loss) for batch, loss in batches if batch % every == 0]
            self.folder.append_history(*({"step": step, "metrics": {"step_loss": loss}} for step, loss in wanted))
            self.notify()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the epoch's metrics, its learning rate, its duration, and a digest of where training stands."""
        metrics = ordered(logs or {})
        metrics.setdefault("learning_rate", _number(self.model.optimizer.learning_rate))
        metrics["epoch_seconds"] = time.perf_counter() - self._started
        if self.examples:
            metrics["system/examples_per_second"] = self.examples / metrics["epoch_seconds"]
        metrics |= self.system.take()
        state = {"sha256": digest(self.model)}
        self.folder.append_history({"epoch": epoch + 1, "step": self._iterations(), **state, "metrics": metrics})
        self.notify()

    def _batches(self) -> int:
        """Batches so far; `iterations` counts updates, which are fewer where some only accumulate."""
        return int(_number(getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)._iterations))

    def _iterations(self) -> int:
        return int(_number(self.model.optimizer.iterations))


class Reporting(keras.callbacks.Callback):
    """Hands epochs, and steps where they are wanted, to a `Progress`."""

    at_block_end = True

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress
        self._epoch = 0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Say how much there is to do."""
        self.progress.begin(self.params["epochs"], self.params["steps"] or 1)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock."""
        self._epoch, self._started = epoch + 1, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Hand on the step."""
        if self.progress.wants_steps:
            self.progress.step(self._epoch, min(batch + 1, self.params["steps"] or 1), logs or {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Hand on the epoch's metrics."""
        metrics = ordered(logs or {})
        metrics.pop("learning_rate", None)
        self.progress.epoch(epoch + 1, metrics, time.perf_counter() - self._started)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Take the bar away."""
        self.progress.end()
