"""A store that is locked, read-only or full: training goes on, the user is told, and everything is sent later."""

import contextlib
import os
import resource
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.mlflow import MlflowTracker
from fdl_zoo.tracking.sender import Sender, mark_unsent, mirror, send_unsent

NOBODY = 65534


def test_locked_store(uri, run, root, log, client, points):
    mirror(run, MlflowTracker(uri))  # the connection is made, as it is in a long training
    blocker = sqlite3.connect(root / "mlflow.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    sender = Sender(run, uri, interval=0.05)
    costs = []
    for number in range(1, 21):
        before = time.perf_counter()
        log(run, number)
        sender.notify()
        costs.append(time.perf_counter() - before)
    run.finish("FINISHED", metrics={"test_loss": 0.5})
    message = sender.close(0.5)
    assert f"The run {run.name} is not yet in the tracking store {uri}" in message
    assert sorted(costs)[10] < 0.1
    assert len(run.history()) == 20
    blocker.execute("ROLLBACK")
    blocker.close()
    # The thread that waited for the lock goes on by itself; a command that comes first does the same work.
    deadline = time.monotonic() + 30
    while (run.path / "unsent").exists() and time.monotonic() < deadline:
        assert send_unsent(root) == []
        time.sleep(0.05)
    assert [step for step, _ in points(uri, run)] == [23 * number for number in range(1, 21)]
    assert client(uri).get_run(run.run_id).info.status == "FINISHED"


@contextlib.contextmanager
def files_no_larger_than(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_store(uri, run, root, log, client, points):
    for number in range(1, 1001):
        log(run, number, **{f"layer_{index}": 1.0 for index in range(5)})
    run.finish("FINISHED")
    with files_no_larger_than((root / "mlflow.db").stat().st_size):
        message = Sender(run, uri, interval=0.05).close(30)
    assert "is not yet in the tracking store" in message
    assert "\n" not in message
    assert send_unsent(root) == []
    assert len(points(uri, run)) == len(points(uri, run, "layer_0")) == 1000
    assert client(uri).get_run(run.run_id).info.status == "FINISHED"


@pytest.fixture
def open_root(new_store, monkeypatch):
    """A folder that every user may enter, with a store in it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    base = Path(tempfile.mkdtemp())
    base.chmod(0o755)
    shutil.copy(new_store, base / "mlflow.db")
    yield base
    shutil.rmtree(base)


@contextlib.contextmanager
def as_common_user():
    """Root may write everything, so for a while this process is another user."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_read_only_store(open_root, log, client, points):
    uri = f"sqlite:///{open_root}/mlflow.db"
    run = RunFolder.create("read-only", spec="model: mlp\n", facts={}, root=open_root)
    log(run, 1, 2)
    mark_unsent(run, uri)
    for path in (run.path, *run.path.rglob("*")):
        os.chown(path, NOBODY if os.geteuid() == 0 else os.geteuid(), -1)
    run.finish("FINISHED")
    open_root.chmod(0o555)
    (open_root / "mlflow.db").chmod(0o444)
    with as_common_user():
        (message,) = send_unsent(open_root)
    assert "readonly database" in message
    assert "\n" not in message
    open_root.chmod(0o755)
    (open_root / "mlflow.db").chmod(0o644)
    SqlAlchemyStore._engine_map[uri].dispose()  # a later command is a new process, without this one's connections
    assert send_unsent(open_root) == []
    assert points(uri, run) == [(23, 1.0), (46, 0.5)]


def test_damaged_store_is_told_and_left_as_it_is(root, make_run, monkeypatch, log):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = make_run()
    (root / "mlflow.db").write_bytes(b"no database" * 1000)
    log(run, 1)
    run.finish("FINISHED")
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 1)  # MLflow would try for a minute and a half
    message = Sender(run, f"sqlite:///{root}/mlflow.db").close(30)
    assert "file is not a database" in message
    assert (root / "mlflow.db").read_bytes() == b"no database" * 1000
