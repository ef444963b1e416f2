"""A finished run, opened to be looked into: its model and data, the weights on its way, and where results go."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo.errors import InvalidData
from fdl_zoo.spec import RunSpec, read_spec
from fdl_zoo.tracking.folder import ROOT, RunFolder, find_folder

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedRun:
    """A run whose parts are loaded when they are first asked for.

    Args:
        folder: The run's folder.
        checkpoint: Which state of the model: `last` or `best`.
    """

    folder: RunFolder
    checkpoint: str = "last"

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.name

    @property
    def title(self) -> str:
        """What a caption says of it: its name, and what was trained on what by what."""
        best = " at its best epoch" if self.checkpoint == "best" else ""
        return f"Run {self.name}{best}: {self.spec.model.name} on {self.spec.data.name}, {self.spec.optimizer.name}."

    @cached_property
    def spec(self) -> RunSpec:
        """The resolved specification that it was trained from."""
        return read_spec(self.folder.path)

    @cached_property
    def model(self) -> Any:
        """The `keras.Model`, compiled, in the state of the checkpoint."""
        from fdl_zoo.artifacts.load import load_file

        return load_file(self.model_file)

    @property
    def model_file(self) -> Path:
        """The file of the model."""
        return self.folder.checkpoints / f"{self.checkpoint}.keras"

    @cached_property
    def data(self) -> Any:
        """Its `Dataset`, made again from the specification."""
        from fdl_zoo import catalogue

        return catalogue.load_dataset(self.spec.data.name, **self.spec.data.options)

    @property
    def steps(self) -> list[int]:
        """The training steps whose weights it keeps; 0 is before training."""
        from fdl_zoo.analysis.path import FOLDER, WeightPath

        return WeightPath(self.folder.path / FOLDER).steps()

    def weights(self, step: int) -> list[np.ndarray]:
        """All weights of the model at one of `steps`."""
        from fdl_zoo.analysis.path import FOLDER, WeightPath

        return WeightPath(self.folder.path / FOLDER).read(step)

    def initial_weights(self) -> list[np.ndarray]:
        """All weights of the model before training.

        Raises:
            InvalidData: The run has not kept them.
        """
        self.require_initial_weights()
        return self.weights(0)

    def require_initial_weights(self) -> None:
        """Refuse a run that has not kept its initial weights.

        Raises:
            InvalidData: It has not.
        """
        if 0 not in self.steps:
            raise InvalidData(
                f"The run {self.name} has not kept its initial weights: train it again, with the callback weight_path"
                " left as it is."
            )

    def require_place(self, name: str) -> None:
        """Refuse a run among whose artifacts nothing can be recorded, before it is computed.

        Args:
            name: The folder that the names given to `record` begin with.

        Raises:
            OSError: Nothing can be written there.
        """
        from fdl_zoo.tracking.files import require_writable

        require_writable(self.folder.artifacts / name)

    def record(self, name: str, figure: Any, numbers: Mapping[str, Any]) -> list[Path]:
        """Keeps a figure and its numbers among the run's artifacts, from where the tracking store gets them.

        Args:
            name: For example `surface/line`.
            figure: A matplotlib figure.
            numbers: Columns of one length, or a mapping of values.

        Returns:
            Where both files are.
        """
        from fdl_zoo.analysis.figure import save
        from fdl_zoo.tracking.recorder import Recorder
        from fdl_zoo.tracking.sender import mark_changed

        names = save(Recorder(self.folder), name, figure, numbers)
        mark_changed(self.folder)
        return [self.folder.artifacts / each for each in names]

    def send(self) -> None:
        """Brings the tracking store up to date; what cannot be sent now is sent by a later command, with a warning."""
        from fdl_zoo.tracking.sender import send_unsent

        for message in send_unsent(self.folder.root):
            _logger.warning(message)


def open_run(reference: Any, root: str | Path = ROOT) -> FinishedRun:
    """The run that a reference means.

    Args:
        reference: A run's name, its id, a unique prefix of either, or `last`, with `@best` for its best checkpoint; or
            a `Run`.
        root: The folder that holds `runs/`.

    Raises:
        UnknownName: There is no such run.
        InvalidData: It has no model yet.
    """
    folder = getattr(reference, "folder", None)
    found = FinishedRun(folder) if folder is not None else FinishedRun(*find_folder(str(reference), Path(root)))
    if not found.model_file.is_file():
        raise InvalidData(
            f"The run {found.name} has no model to look into: it is {found.folder.status.lower()}; look at one that has"
            f" finished, or go on with it by `{found.folder.continuation}`."
        )
    return found
