"""What a child's failure is taken for: one whose loss diverged would again, any other is trained when asked again."""

import pytest

from fdl_zoo.comparison import worker
from fdl_zoo.errors import Diverged, TrainingFailed
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.tracking.folder import list_folders

FAILURES = {
    "memory": (TrainingFailed("The memory of the device ran out at batch_size 32: try --batch-size 16."), None),
    "diverged": (Diverged("The loss became NaN in epoch 1."), True),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_only_one_that_diverged_is_taken_for_ended(failure, tmp_path, monkeypatch):
    error, diverged = FAILURES[failure]

    class Failing:
        def __init__(self, spec, folder, progress):
            self.folder = folder

        def run(self):
            self.folder.finish("FAILED", str(error))
            raise error

    monkeypatch.setattr(worker, "Session", Failing)
    spec = resolve(make_layers("logistic_regression", settings=["tracking.enabled=false"])).spec
    job = {
        "spec": spec.model_dump(mode="json"),
        "sweep": {"parent": "sweep"}, "origins": {}, "command": "fdl compare", "name": "child", "root": str(tmp_path),
        "judged": False,
    }  # fmt: skip
    outcome = worker.train_child(job, lambda message: None, lambda: "")
    assert (outcome["status"], outcome["reason"]) == ("FAILED", str(error))
    (folder,) = list_folders(tmp_path)
    assert folder.facts["sweep"].get("diverged") is diverged
