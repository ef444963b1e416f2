"""What callbacks that look inside a model share: when they look, what they keep for resume, where results go."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fdl_zoo.data import Context

_logger = logging.getLogger(__name__)


def epochs_to_look(epochs: int, times: int) -> set[int]:
    """The epochs after which to look, counted from 1: closer at the start, where most happens; the last is one.

    Args:
        epochs: Of the whole training.
        times: At most so many, beside the look before training.
    """
    if times >= epochs:
        return set(range(1, epochs + 1))
    return {round(each) for each in np.geomspace(1, epochs, max(times, 1))} | {epochs}


class Looking(keras.callbacks.Callback):
    """Looks before training and after some epochs; a subclass says at what, and what becomes of it.

    Args:
        name: Of the entry: the folder of its results.
        times: Looks at most, beside the one before training.
        place: A tracker, or the folder for results in plain Keras.
        caption: What the figures' captions begin with.
    """

    def __init__(self, name: str, times: int, place: Any, caption: str) -> None:
        super().__init__()
        self.name, self.times, self.place, self.caption = name, times, place, caption
        self.records: list[dict[str, Any]] = []
        self._resumed = False
        self._epoch = 0

    def look(self) -> dict[str, Any]:
        """What there is to see now, as plain values that JSON can hold; empty where there is nothing to look at."""
        raise NotImplementedError  # abstract: each callback looks at something else

    def metrics(self, record: Mapping[str, Any]) -> dict[str, float]:
        """What of a record is followed as metrics of the run."""
        return {}

    def prepare(self) -> None:
        """Take from the model, at the end of training, what `draw` needs beside the records."""

    def draw(self) -> None:
        """Draw the records and save them."""
        raise NotImplementedError  # abstract, likewise

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Forget an earlier training."""
        if not self._resumed:
            self.records, self._epoch = [], 0
        self._resumed = False
        self._due = epochs_to_look(self.params.get("epochs") or 1, self.times)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the untrained model; a run that is resumed has taken up its state by now, and goes on with it."""
        if not self.records:
            self._record(epoch)
        self._resumed = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look if it is time."""
        self._epoch = epoch + 1
        if self._epoch in self._due:
            self._record(self._epoch)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Look a last time if training ended early, and draw: a run does so beside its last work, not before it."""
        if self.records and self.records[-1]["epoch"] != self._epoch:
            self._record(self._epoch)
        if self.records:
            self.prepare()
            if isinstance(self.place, Path):
                self.draw()
            else:
                self.place.draw_later(self.draw)

    def _record(self, epoch: int) -> None:
        seen = self.look()
        if not seen:
            return
        step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        self.records.append({"epoch": epoch, "step": step, **seen})
        followed = self.metrics(self.records[-1])
        if followed and hasattr(self.place, "log_metrics"):
            self.place.log_metrics(followed, step)

    def get_state(self) -> dict[str, Any]:
        """The records so far."""
        return {"records": [dict(record) for record in self.records], "epoch": self._epoch}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on with them, in the `fit` that begins or in the next."""
        self.records, self._epoch = [dict(record) for record in state["records"]], state["epoch"]
        self._resumed = True


class LookingAtExamples(Looking):
    """Looks at what a model makes of some training examples.

    Args:
        name: Of the entry.
        times: Looks at most.
        place: A tracker or folder.
        caption: What captions begin with.
        examples: Inputs and targets; None where it is not known on what the model is trained.
    """

    def __init__(self, name: str, times: int, place: Any, caption: str, examples: Any) -> None:
        super().__init__(name, times, place, caption)
        self.examples = examples

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Say so if there are no examples."""
        if self.examples is None:
            _logger.warning(
                "The callback %s sees no examples in plain Keras: give it a fdl_zoo.Context(model, data, ...).",
                self.name,
            )
        super().on_train_begin(logs)


def place_of(name: str, folder: str | None, context: Context | None) -> Any:
    """Where results go: the run's tracker, or a folder in plain Keras."""
    return Path(folder or name) if context is None else context.tracker


def caption_of(context: Context | None) -> str:
    """What a caption says of the run."""
    if context is None:
        return ""
    spec, name = context.spec, Path(context.folder).name
    what = "" if spec is None else f": {spec.model.name} on {spec.data.name}, {spec.optimizer.name}"
    return f"Run {name}{what}."


def examples_of(context: Context | None, count: int) -> Any:
    """The first training examples, inputs and targets; None in plain Keras."""
    if context is None:
        return None
    split = context.data.train
    return split.take(np.arange(min(count, len(split))))
