"""The embedded store is made once, whole or not at all, whoever races or dies."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fdl_zoo.errors import TrackingError
from fdl_zoo.tracking.folder import list_folders
from fdl_zoo.tracking.store import ensure_store

REPOSITORY = Path(__file__).parents[3]
TRAIN = """
import sys
from fdl_zoo.tracking import default_uri
from fdl_zoo.tracking.folder import RunFolder, new_name
from fdl_zoo.tracking.sender import Sender
run = RunFolder.create(new_name("mlp", "digits"), spec="model: mlp\\n", facts={"command": "test"})
sender = Sender(run, default_uri())
for epoch in range(1, 6):
    run.append_history({"epoch": epoch, "step": epoch, "metrics": {"loss": 1 / epoch}})
    sender.notify()
run.finish("FINISHED", metrics={"test_accuracy": 0.9})
sys.exit(sender.close(240))
"""
CREATE = """
from fdl_zoo.tracking import default_uri
from fdl_zoo.tracking.store import ensure_store
ensure_store(default_uri())
"""


def start(code, folder):
    settings = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    settings["PYTHONPATH"] = str(REPOSITORY)
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=settings, stderr=subprocess.PIPE, text=True)


def test_store_that_exists_is_left_alone_without_mlflow(uri, root):
    before = (root / "mlflow.db").stat()
    ensure_store(uri)
    assert (root / "mlflow.db").stat() == before
    assert {path.name for path in root.iterdir()} == {"mlflow.db"}


def test_store_on_a_server_is_no_file(tmp_path):
    ensure_store("http://host:5000")
    ensure_store("postgresql://host/db")


def test_place_that_cannot_hold_a_store_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match=r"cannot be made: (Not a directory|File exists)"):
        ensure_store(f"sqlite:///{tmp_path}/file/mlflow.db")


@pytest.mark.slow
def test_eight_runs_started_together_in_an_empty_folder_all_succeed(tmp_path, client):
    processes = [start(TRAIN, tmp_path) for _ in range(8)]
    outputs = [process.communicate(timeout=280)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, outputs
    assert outputs == [""] * 8
    runs = list_folders(tmp_path / "mlruns")
    store = client(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    experiment = store.get_experiment_by_name("fdl_zoo")
    assert experiment.artifact_location == (tmp_path / "mlruns" / "artifacts" / "fdl_zoo").as_uri()
    seen = {run.info.run_name: run for run in store.search_runs([experiment.experiment_id])}
    assert seen.keys() == {run.name for run in runs}
    assert len(runs) == 8
    for run in runs:
        assert seen[run.name].info.status == "FINISHED"
        assert seen[run.name].data.metrics == {"loss": 0.2, "test_accuracy": 0.9}
        assert [each.step for each in store.get_metric_history(run.run_id, "loss")] == [1, 2, 3, 4, 5]
    assert not list((tmp_path / "mlruns").glob("runs/*/unsent"))
    assert {path.name for path in (tmp_path / "mlruns").iterdir()} == {
        "runs",
        "artifacts",
        "mlflow.db",
        ".mlflow.db.lock",
    }


@pytest.mark.slow
def test_creator_that_is_killed_leaves_the_next_one_working(tmp_path, client):
    root = tmp_path / "mlruns"
    first = start(CREATE, tmp_path)
    deadline = time.monotonic() + 60
    # Its journal comes and goes, so what is looked at is the database alone.
    while not any(path.stat().st_size > 50_000 for path in root.glob(".mlflow.db.new-*[0-9]")):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (root / "mlflow.db").exists()
    assert list(root.glob(".mlflow.db.new-*"))
    second = start(TRAIN, tmp_path)
    output = second.communicate(timeout=120)[1]
    assert second.returncode == 0, output
    assert not list(root.glob(".mlflow.db.new-*"))
    assert sqlite3.connect(root / "mlflow.db").execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    (run,) = list_folders(root)
    assert client(f"sqlite:///{root}/mlflow.db").get_run(run.run_id).info.status == "FINISHED"
