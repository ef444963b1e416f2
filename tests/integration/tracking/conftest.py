"""Runs that are mirrored into real MLflow stores."""

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from fdl_zoo.tracking import environment
from fdl_zoo.tracking.folder import RunFolder

REPOSITORY = Path(__file__).parents[3]
SPEC = "model: {name: mlp, units: [256, 256]}\ndata: digits\noptimizer: {name: adam, learning_rate: 0.001}\nepochs: 3\n"
FACTS = {
    "command": "fdl train mlp --tracking-uri http://me:hunter2@host:5000",
    "git_commit": "0123456789abcdef",
    "versions": {"keras": "3.15.1", "tensorflow": "2.21.0"},
    "dataset": {"name": "digits", "digest": "ab" * 32, "source": "sklearn", "sizes": {"train": 1437, "test": 180}},
}


@pytest.fixture(scope="session")
def new_store(tmp_path_factory):
    """A store made by MLflow once; tests copy it where they need one of their own."""
    from fdl_zoo.tracking.mlflow import create_database

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    create_database(path, path)
    return path


def _copy_store(store, place):
    """Copies a store without runs, and lets its experiments keep their artifacts in the new place."""
    shutil.copy(store, place)
    with contextlib.closing(sqlite3.connect(place)) as database, database:
        change = "UPDATE experiments SET artifact_location = replace(artifact_location, ?, ?)"
        database.execute(change, (store.parent.as_uri(), place.parent.as_uri()))


@pytest.fixture
def copy_store():
    return _copy_store


@pytest.fixture
def root(tmp_path):
    return tmp_path / "mlruns"


@pytest.fixture
def uri(root, new_store, monkeypatch):
    """The address of a new embedded store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root.mkdir()
    _copy_store(new_store, root / "mlflow.db")
    return f"sqlite:///{root}/mlflow.db"


@pytest.fixture
def make_run(root):
    made = []

    def make(name="mlp-digits-000001", **facts):
        made.append(RunFolder.create(name, spec=SPEC, facts=FACTS | facts, root=root))
        return made[-1]

    yield make
    for folder in made:
        folder.release()


@pytest.fixture
def run(make_run):
    return make_run()


@pytest.fixture
def log():
    """Adds an epoch of 23 steps for each number."""

    def log(run, *numbers, **more):
        for number in numbers:
            metrics = {"loss": 1 / number, "val_loss": 2 / number} | more
            run.append_history({"epoch": number, "step": 23 * number, "time": 1.7e9 + number, "metrics": metrics})

    return log


@pytest.fixture
def client():
    from mlflow import MlflowClient

    return MlflowClient


@pytest.fixture
def points(client):
    """Step and value of a metric as the store has them."""

    def points(uri, run, name="loss"):
        return [(each.step, each.value) for each in client(uri).get_metric_history(run.run_id, name)]

    return points


class Server:
    """A real MLflow server on loopback over its own SQLite store."""

    def __init__(self, folder, database):
        self.folder = folder
        _copy_store(database, folder / "server.db")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        settings = environment.SETTINGS | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=os.environ | settings, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        pytest.fail("the MLflow server did not answer within a minute")

    def stop(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path, new_store):
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server", new_store)
    yield server
    server.stop()
