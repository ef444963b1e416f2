"""Keras's TensorBoard callback in a run: it writes into the run's folder, which becomes an artifact in the end."""

import importlib.util
from collections.abc import Mapping
from typing import Any

import keras

from fdl_zoo.data import Context
from fdl_zoo.errors import InvalidOption
from fdl_zoo.spec import EntryReference

NAME, FOLDER = "keras/TensorBoard", "tensorboard"


def options_in_run(reference: EntryReference, context: Context) -> dict[str, Any]:
    """The options of a callback; TensorBoard's folder is the run's unless the user names another.

    Raises:
        InvalidOption: TensorBoard is not installed.
    """
    options = reference.options
    if reference.name != NAME:
        return options
    if importlib.util.find_spec("tensorboard") is None:
        raise InvalidOption(f"{NAME} needs tensorboard, not installed here: pip install 'fdl-zoo[tensorboard]'.")
    if options.get("log_dir", "logs") == "logs":  # Keras's default, which all runs would share
        options["log_dir"] = str(context.folder / FOLDER)
    return options


class KeepTensorBoard(keras.callbacks.Callback):
    """Puts what TensorBoard wrote among the run's artifacts when training ends; to be placed after it.

    Args:
        context: The run.
    """

    at_block_end = True

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Copy the folder: while it grows it would be sent again and again."""
        folder = self.context.folder / FOLDER
        if folder.is_dir():
            self.context.tracker.log_artifact(folder)
