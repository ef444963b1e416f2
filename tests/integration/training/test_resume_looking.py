"""A run that is killed and resumed leaves the same path of weights and the same looks as one that was not."""

import shutil

import keras
import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo import catalogue
from fdl_zoo.analysis.path import WeightPath
from fdl_zoo.training.progress import Silent

LOOKS = ("gradient_norms", "weight_histograms", "activation_histograms", "lstm_gates")


class Copier(keras.callbacks.Callback):
    """Copies the run's folder at the beginning of the third epoch: what a kill would leave."""

    def __init__(self, context):
        super().__init__()
        self.folder = context.folder

    def on_epoch_begin(self, epoch, logs=None):
        target = self.folder.parent.parent.parent / "killed" / "runs" / self.folder.name
        if epoch == 2 and not target.exists():
            shutil.copytree(self.folder, target)
            (target / "owner.json").unlink()


@pytest.fixture
def copier():
    catalogue.register_callback("copier")(lambda *, context=None: Copier(context))
    yield
    catalogue.callbacks._withdraw("copier", None)


@pytest.mark.slow
def test_path_and_looks_are_those_of_a_run_that_was_not_killed(tmp_path, copier):
    whole = fdl.train(
        {"name": "lstm", "units": 4},
        data={"name": "adding", "length": 6, "examples": 300},
        epochs=4,
        seed=0,
        callbacks=[*LOOKS, {"name": "weight_path", "snapshots": 4}, "copier"],
        root=tmp_path / "mlruns",
        progress=Silent(),
        settings=["tracking.enabled=false"],
    )
    killed = tmp_path / "killed" / "runs" / whole.name
    WeightPath(killed / "weight_path").write(7, [np.zeros(3)])  # written after the checkpoint
    resumed = fdl.resume("last", root=tmp_path / "killed", progress=Silent())
    paths = [WeightPath(run.path / "weight_path") for run in (whole, resumed)]
    assert paths[0].steps() == paths[1].steps()
    assert paths[0].steps()[0] == 0
    for step in paths[0].steps():
        assert all(map(np.array_equal, paths[0].read(step), paths[1].read(step)))
    tables = sorted((whole.path / "artifacts").rglob("*.csv"))
    assert len(tables) == 5
    for table in tables:
        assert (
            resumed.path / "artifacts" / table.relative_to(whole.path / "artifacts")
        ).read_text() == table.read_text()
    looks = [
        [(line["step"], line["metrics"]) for line in run.folder.history() if "gate/keep" in line["metrics"]]
        for run in (whole, resumed)
    ]
    assert looks[0] == looks[1]
    assert [step for step, _ in looks[0]] == sorted({step for step, _ in looks[0]})
