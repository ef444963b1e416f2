"""A real MLflow server that goes away while training goes on, and comes back: nothing is missing, nothing is twice."""

import time

import numpy as np
import pytest
from mlflow.models import Model

from fdl_zoo.tracking.mlflow import MlflowTracker
from fdl_zoo.tracking.sender import Sender, send_unsent

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """A proxy of the environment has no business on loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_server_stopped_and_started_again(server, make_run, log, client, points):
    server.start()
    run = make_run(experiment="chapter 8")
    sender = Sender(run, server.uri, interval=0.05)
    log(run, 1, 2)
    sender.notify()
    wait_for(lambda: run.run_id and len(points(server.uri, run)) == 2)
    server.stop()
    costs = []
    for number in range(3, 31):
        before = time.perf_counter()
        log(run, number, val_loss=np.nan if number == 7 else np.inf if number == 8 else 1.0)
        sender.notify()
        costs.append(time.perf_counter() - before)
        time.sleep(0.02)
    assert sorted(costs)[14] < 0.05
    wait_for(lambda: sender.problem is not None)
    server.start()
    log(run, 31)
    (run.artifacts / "figures").mkdir()
    (run.artifacts / "figures" / "loss.txt").write_text("picture")
    run.model.mkdir()
    Model().save(str(run.model / "MLmodel"))
    (run.model / "weights.bin").write_bytes(bytes(1000))
    run.finish("FINISHED", metrics={"test_accuracy": 0.9})
    assert sender.close(60) is None
    seen = client(server.uri).get_run(run.run_id)
    assert [step for step, _ in points(server.uri, run)] == [23 * number for number in range(1, 32)]
    values = dict(points(server.uri, run, "val_loss"))
    assert np.isnan(values[7 * 23])
    assert values[8 * 23] > 1e308
    assert (seen.info.status, seen.data.metrics["test_accuracy"]) == ("FINISHED", 0.9)
    assert [each.path for each in client(server.uri).list_artifacts(run.run_id)] == ["figures", "spec.yaml"]
    assert seen.info.artifact_uri.startswith("mlflow-artifacts:")
    (output,) = seen.outputs.model_outputs
    assert client(server.uri).get_logged_model(output.model_id).status == "READY"
    again = MlflowTracker(server.uri, "chapter 8")
    again.begin(run)
    assert again.log_model(run.model, output.step) == output.model_id


def test_server_that_is_gone_at_the_end_gets_the_run_from_the_next_command(server, run, root, log, points):
    before = time.perf_counter()
    sender = Sender(run, server.uri, interval=0.05)
    log(run, 1, 2, 3)
    sender.notify()
    run.finish("FINISHED")
    message = sender.close(20)
    assert time.perf_counter() - before < 20
    assert f"not yet in the tracking store {server.uri}" in message
    assert "Connection refused" in message
    assert len(send_unsent(root)) == 1
    server.start()
    assert send_unsent(root) == []
    assert [step for step, _ in points(server.uri, run)] == [23, 46, 69]
