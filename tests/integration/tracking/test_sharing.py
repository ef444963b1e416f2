"""Several trainings at once on one store, and one whose server goes away meanwhile: all is there, nothing twice."""

import json
import os
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

pytestmark = pytest.mark.slow

FDL = [sys.executable, "-c", "from fdl_zoo.cli import main; main()"]
EPOCHS = 3


def start(folder, *arguments, **environment):
    command = [*FDL, "train", "logistic_regression", "--data", "digits", "--json", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=os.environ | environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finished(process):
    """What a training printed."""
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    return json.loads(out)


def steps(client, run, name="loss"):
    return [point.step for point in client.get_metric_history(run["run_id"], name)]


@pytest.mark.parametrize("count", [5, pytest.param(10, marks=pytest.mark.long)])
def test_processes_share_a_new_store(count, tmp_path):
    processes = [start(tmp_path, "--epochs", str(EPOCHS), "--seed", str(seed)) for seed in range(count)]
    runs = [finished(process) for process in processes]
    assert len({run["name"] for run in runs}) == count
    left = subprocess.run([*FDL, "runs"], cwd=tmp_path, text=True, capture_output=True, timeout=120)
    assert left.stderr == ""  # what could not be sent at once has been sent now
    client = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'fdl_zoo'")
    known = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert known.keys() == {run["name"] for run in runs}
    for run in runs:
        seen = known[run["name"]]
        assert seen.info.status == "FINISHED"
        assert seen.data.metrics["test_accuracy"] == pytest.approx(run["metrics"]["test_accuracy"])
        assert len(steps(client, {"run_id": seen.info.run_id})) == EPOCHS
        assert len(seen.outputs.model_outputs) == 1
        assert "figures" in [each.path for each in client.list_artifacts(seen.info.run_id)]


@pytest.mark.parametrize(("away", "epochs"), [(10, 1200), pytest.param(60, 6000, marks=pytest.mark.long)])
def test_a_server_that_goes_away_while_a_process_trains(away, epochs, server, tmp_path):
    server.start()
    process = start(
        tmp_path, "--epochs", str(epochs), "--batch-size", "8", MLFLOW_TRACKING_URI=server.uri, NO_PROXY="127.0.0.1"
    )
    client = MlflowClient(server.uri)
    history = None
    deadline = time.monotonic() + 120
    while history is None or len(history.read_text().splitlines()) < 5:  # it trains
        assert time.monotonic() < deadline
        time.sleep(0.1)
        history = next(tmp_path.glob("mlruns/runs/*/history.jsonl"), None)
    server.stop()
    before = len(history.read_text().splitlines())
    time.sleep(away)
    assert process.poll() is None
    assert len(history.read_text().splitlines()) > before, "training waits for its server"
    server.start()
    run = finished(process)
    subprocess.run([*FDL, "runs"], cwd=tmp_path, env=os.environ | {"NO_PROXY": "127.0.0.1"}, check=True, timeout=120)
    (found,) = client.search_runs([each.experiment_id for each in client.search_experiments()])
    assert (found.info.run_name, found.info.status) == (run["name"], "FINISHED")
    seen = steps(client, {"run_id": found.info.run_id})
    assert len(seen) == len(set(seen)) == epochs
