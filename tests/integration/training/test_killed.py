"""Real processes, killed with SIGKILL at random moments, and resumed: nothing lost, and the same to the last bit."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fdl_zoo.tracking.folder import list_folders
from fdl_zoo.tracking.history import History
from fdl_zoo.training.run import Run

FDL = [sys.executable, "-c", "from fdl_zoo.cli import main; main()"]
TRAIN = [
    "train", "mlp", "--data", "digits", "--epochs", "40", "--callback", "reduce_lr_on_plateau", "--seed", "3",
    "--checkpoint-every", "20steps", "--log-every", "25", "--set", "model.dropout=0.3", "--set", "model.units=[32]",
    "--set", "block=10", "--set", "jit=false",
]  # fmt: skip


def fdl(folder, *arguments, **options):
    environment = {**os.environ, "MLFLOW_TRACKING_URI": ""}
    del environment["MLFLOW_TRACKING_URI"]
    return subprocess.Popen(
        [*FDL, *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        **options,
    )  # fmt: skip


def finished(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def outcome(folder):
    """What must be the same however often a run was killed: its history, its weights, what the store has of it."""
    (run,) = [Run(each) for each in list_folders(folder / "mlruns") if each.status == "FINISHED"]
    lines = [line.values for line in History(run.path / "history.jsonl").read()]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    return {
        "history": [
            (line["step"], line.get("sha256"), sorted(each for each in line["metrics"].items() if not untimed(each[0])))
            for line in lines
        ],
        "tested": {name: value for name, value in run.metrics.items() if name != "seconds"},
        "weights": [each.tolist() for each in run.model.get_weights()],
        "store": stored(folder, run),
    }


def untimed(name):
    return "seconds" in name or name.startswith("system/")


def stored(folder, run):
    """The points of the run in the store: each once."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    names = sorted(name for name in client.get_run(run.run_id).data.metrics if not untimed(name))
    found = {name: [(each.step, each.value) for each in client.get_metric_history(run.run_id, name)] for name in names}
    for name, points in found.items():
        assert len({step for step, _ in points}) == len(points), f"{name} has a point twice"
    return found


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    started = time.monotonic()
    finished(fdl(folder, *TRAIN))
    return outcome(folder), time.monotonic() - started


def killed_and_resumed(folder, never_killed, moments):
    """Start a run, kill it at each moment (seconds after its start or resumption), resume it, and compare."""
    expected, _ = never_killed
    command = TRAIN
    for moment in moments:
        process = fdl(folder, *command, start_new_session=True)
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        folders = list_folders(folder / "mlruns")
        if not folders:  # killed before there was a run
            continue
        if folders[0].status == "FINISHED":
            break
        assert folders[0].status == "INTERRUPTED"
        command = ["resume", folders[0].name]
    if not [each for each in list_folders(folder / "mlruns") if each.status == "FINISHED"]:
        finished(fdl(folder, *command))
    finished(fdl(folder, "runs"))  # what a killed process left unsent is sent
    found = outcome(folder)
    for name in expected:
        assert found[name] == expected[name], f"{name} differs after kills at {moments}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(seed, never_killed, tmp_path):
    _, seconds = never_killed
    moments = np.random.default_rng(seed).uniform(0.2, 1.0, 1) * seconds
    killed_and_resumed(tmp_path, never_killed, [round(float(each), 2) for each in moments])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(50))
def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(seed, never_killed, tmp_path):
    _, seconds = never_killed
    moments = np.random.default_rng(1000 + seed).uniform(0.05, 1.1, 2) * seconds
    killed_and_resumed(tmp_path, never_killed, [round(float(each), 2) for each in moments])


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_within_five_seconds_with_a_checkpoint(number, status, tmp_path):
    process = fdl(tmp_path, "train", "mlp", "--epochs", "2000", "--no-tracking")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("mlruns/runs/*/history.jsonl")):  # compiling a block cannot be interrupted
        assert time.monotonic() < deadline
        time.sleep(0.1)
    asked = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert time.monotonic() - asked < 5
    assert process.returncode == status
    (folder,) = list_folders(tmp_path / "mlruns")
    assert folder.status == "KILLED"
    assert f"fdl resume {folder.name}" in output
    assert sorted(folder.checkpoints.glob("state-*"))


@pytest.mark.slow
def test_a_disk_that_fills_up_while_a_checkpoint_is_written_leaves_the_one_before(tmp_path):
    """No file may grow beyond 300 kB: smaller than a checkpoint of this model, larger than all else."""
    import resource

    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # noqa: E731
    process = fdl(tmp_path, "train", "mlp", "--epochs", "2", "--no-tracking", preexec_fn=limit)
    output, _ = process.communicate(timeout=120)
    assert "A checkpoint of epoch 1 cannot be written (File too large): training goes on." in output
    assert "Traceback" not in output
    assert process.returncode == 1  # the trained model could not be written either, and that is said
    (folder,) = list_folders(tmp_path / "mlruns")
    assert folder.status == "FAILED"
    assert not [each for each in folder.checkpoints.iterdir() if each.name.startswith(".")]
    assert len([line for line in folder.history() if "epoch" in line]) == 2
    assert json.loads((folder.path / "run.json").read_text())["reason"]
    assert "FINISHED" in finished(fdl(tmp_path, "resume", "last"))


DIES_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import numpy as np
from fdl_zoo.training.checkpoints import Checkpoints, State

checkpoints = Checkpoints(Path(sys.argv[1]))
state = lambda epoch: State(epoch, 0, epoch, variables=[[np.full(1000, epoch)]])
checkpoints.write(state(1))
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
checkpoints.write(state(2))
"""


@pytest.mark.slow
def test_a_kill_between_writing_and_renaming_a_checkpoint_leaves_the_one_before(tmp_path):
    from fdl_zoo.training.checkpoints import Checkpoints

    died = subprocess.run([sys.executable, "-c", DIES_WHILE_WRITING, str(tmp_path)], timeout=100)
    assert died.returncode == -signal.SIGKILL
    assert len([each for each in tmp_path.iterdir() if each.name.startswith(".")]) == 1  # the kill came in between
    warned = []
    state = Checkpoints(tmp_path).newest(warned.append)
    assert state.epoch == 1
    np.testing.assert_array_equal(state.variables[0][0], np.full(1000, 1))
    assert not warned
    assert [each.name for each in tmp_path.iterdir()] == ["state-000001-000000000.npz"]
