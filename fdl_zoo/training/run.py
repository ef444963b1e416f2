"""Run: a run as its user holds it: metrics, history, model, curves. What it shows is read from the run's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdl_zoo.errors import ZooError
from fdl_zoo.spec import RunSpec, read_spec
from fdl_zoo.tracking.folder import RunFolder


class Run:
    """One run.

    Args:
        folder: Its folder.
        model: The model in memory, where this process has just trained it.
    """

    def __init__(self, folder: RunFolder, model: Any = None) -> None:
        self.folder = folder
        self._model = model

    def __repr__(self) -> str:
        return f"<Run {self.name}: {self.status}>"

    @property
    def name(self) -> str:
        """Its unique name, such as `mlp-digits-7f3a2c`."""
        return self.folder.name

    @property
    def run_id(self) -> str | None:
        """The tracking store's id; None until the store has it, and without tracking."""
        return self.folder.run_id

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, FAILED, KILLED or INTERRUPTED."""
        return self.folder.status

    @property
    def path(self) -> Path:
        """The run's folder on disk."""
        return self.folder.path

    @property
    def spec(self) -> RunSpec:
        """The resolved specification that it was trained from."""
        return read_spec(self.folder.path)

    @property
    def metrics(self) -> Mapping[str, float]:
        """Final metrics, `test_loss` and `test_accuracy` among them."""
        return self.folder.metrics

    @property
    def history(self) -> dict[str, list[float]]:
        """A list per metric, one value per epoch, with `epoch` and `epoch_seconds`."""
        columns: dict[str, list[float]] = {}
        for line in self.folder.history():
            if "epoch" in line:
                for name, value in {"epoch": line["epoch"], **line["metrics"]}.items():
                    if not name.startswith("system/"):  # sampled by the clock, so not in every epoch
                        columns.setdefault(name, []).append(value)
        return columns

    @property
    def model_path(self) -> Path:
        """The file of the last state of the model."""
        return self.folder.checkpoints / "last.keras"

    @property
    def model(self) -> Any:
        """The `keras.Model` in its last state; logits, optimizer included. Loaded at first use."""
        if self._model is None:
            from fdl_zoo.artifacts.load import load_file

            self._model = load_file(self.model_path)
        return self._model

    def plot(self) -> Any:
        """The learning curves as a matplotlib figure: a panel per metric, training and validation together."""
        from fdl_zoo.analysis.curves import learning_curves

        return learning_curves(self.history, title=self.name)

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`; without the names of entries, and with the reason, where `spec.yaml` is damaged."""
        folder = self.folder
        reason, kinds = folder.reason or None, ("model", "data", "optimizer")
        try:
            spec = self.spec
        except ZooError as error:
            reason, entries = str(error), dict.fromkeys(kinds)
        else:
            entries = {kind: getattr(spec, kind).name for kind in kinds}
        return {
            "name": self.name,
            "run_id": self.run_id,
            "status": self.status,
            "reason": reason,
            **entries,
            "started": folder.started,
            "ended": folder.ended,
            "metrics": dict(self.metrics),
            "folder": str(self.path),
            "model_path": str(self.model_path) if self.model_path.exists() else None,
        }
