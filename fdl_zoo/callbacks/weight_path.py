"""Weight path: keeps the initial weights and snapshots of those on the way, at most 50 in all (chapter 4)."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from fdl_zoo.card import Card
from fdl_zoo.data import Context

_logger = logging.getLogger(__name__)

CARD = Card(chapter=4, tags=("look inside",), ranges={"snapshots": "[1, inf)", "largest": "[0, inf)"})


class KeepPath(keras.callbacks.Callback):
    """Writes the weights before training, and after every so many epochs; once there are too many, every other goes.

    It is in every run. Of a model with more than `largest` parameters it keeps the initial weights alone.
    """

    def __init__(self, path: Any, snapshots: int, largest: int) -> None:
        super().__init__()
        self.path, self.snapshots, self.largest = path, snapshots, largest
        self.every, self.steps = 1, []
        self._resumed = self._begun = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Forget an earlier training."""
        if not self._resumed:
            self.every, self.steps = 1, []
        self._resumed, self._begun = False, False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the initial weights; a run that is resumed has taken up its state by now, and goes on with its path."""
        if not self._begun:
            if not self.steps:
                self._keep(0)
            self.path.keep(self.steps)  # what an interrupted run wrote after its checkpoint comes again
        self._resumed, self._begun = False, True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep this epoch's weights if it is its turn."""
        if self.snapshots > 1 and self.model.count_params() <= self.largest and (epoch + 1) % self.every == 0:
            self._keep(int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)))
            if len(self.steps) > self.snapshots:
                self.every *= 2
                self.steps = self.steps[::2]
                self.path.keep(self.steps)

    def _keep(self, step: int) -> None:
        try:
            self.path.write(step, self.model.get_weights())
        except OSError as error:  # a full disk costs the picture of a path, never the training
            _logger.warning("The weights of step %d cannot be kept (%s): training goes on.", step, error.strerror)
            return
        self.steps = [*(each for each in self.steps if each < step), step]

    def get_state(self) -> dict[str, Any]:
        """The steps that are kept, and the epochs between two of them."""
        return {"every": self.every, "steps": list(self.steps)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there, in the `fit` that begins or in the next."""
        self.every, self.steps = state["every"], list(state["steps"])
        self._resumed = True


def build(
    *, snapshots: int = 50, largest: int = 1_000_000, folder: str | None = None, context: Context | None = None
) -> keras.callbacks.Callback:
    """Builds the callback.

    Args:
        snapshots: How many are kept at most, the initial weights among them.
        largest: Parameters of the largest model of which more than the initial weights are kept.
        folder: Where the files go in plain Keras (`weight_path` if None); a run has its own folder.
        context: The run; None in plain Keras.
    """
    from fdl_zoo.analysis.path import FOLDER, WeightPath

    place = Path(folder or FOLDER) if context is None else Path(context.folder) / FOLDER
    return KeepPath(WeightPath(place), snapshots, largest)
