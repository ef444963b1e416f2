"""`fdl train` as a process: what it prints where, and how it ends when it is asked to, or killed."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

import fdl_zoo

FDL = [sys.executable, "-c", "from fdl_zoo.cli import main; main()"]


def fdl(*arguments, **options):
    return subprocess.run([*FDL, *arguments], capture_output=True, text=True, timeout=300, **options)


def start(folder, *arguments):
    """A training that goes on until it is stopped, past its first epoch."""
    process = subprocess.Popen(
        [*FDL, "train", "logistic_regression", "--epochs", "100000", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("epoch "):
            return process
    raise AssertionError(process.stderr.read())


def only_run(folder):
    found = json.loads(fdl("runs", "--json", cwd=folder).stdout)
    assert len(found) == 1
    return found[0]


def test_a_run_prints_its_name_a_line_per_epoch_and_its_result_and_nothing_else(tmp_path):
    done = fdl("train", "logistic_regression", "--epochs", "2", "--no-tracking", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    name = re.match(r"logistic_regression on digits with \w+: run (logistic_regression-digits-\w{6}), ", lines[0])[1]
    assert re.match(
        r"epoch 1/2  loss [\d.]+  accuracy [\d.]+  val_loss [\d.]+  val_accuracy [\d.]+  [\d.]+ s", lines[1]
    )
    assert lines[2].startswith("epoch 2/2")
    assert lines[3].startswith("test_accuracy 0.")
    assert lines[5] == f"model  mlruns/runs/{name}/checkpoints/last.keras"
    assert len(lines) == 8
    assert (tmp_path / "mlruns/runs" / name / "checkpoints/last.keras").is_file()


@pytest.mark.slow
def test_json_is_all_that_standard_output_holds(tmp_path):
    done = fdl("train", "logistic_regression", "--epochs", "1", "--json", cwd=tmp_path)
    facts = json.loads(done.stdout)
    assert facts["status"] == "FINISHED"
    assert facts["metrics"]["test_accuracy"] > 0.5
    assert re.fullmatch(r"[0-9a-f]{32}", facts["run_id"])
    assert facts["history"]["epoch"] == [1]
    assert "epoch 1/1" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long), (signal.SIGINT, 130)]
)
def test_a_signal_ends_a_run_as_killed_with_its_checkpoint(number, status, tmp_path):
    process = start(tmp_path)
    process.send_signal(number)
    started = time.monotonic()
    while fdl_zoo.find_run("last", tmp_path / "mlruns").status == "RUNNING":
        assert time.monotonic() - started < 5
        time.sleep(0.02)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == status
    assert complaint.strip() == ("fdl: terminated" if status == 143 else "fdl: interrupted")
    run = only_run(tmp_path)
    assert run["status"] == "KILLED"
    assert run["reason"]
    assert os.path.exists(run["model_path"])


@pytest.mark.slow
def test_a_run_killed_outright_is_seen_as_interrupted_and_its_history_stays(tmp_path):
    process = start(tmp_path, "--no-tracking")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    run = only_run(tmp_path)
    assert run["status"] == "INTERRUPTED"
    assert run["resume"] == f"fdl resume {run['name']}"
    lines = (tmp_path / "mlruns/runs" / run["name"] / "history.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["epoch"] == 1


@pytest.mark.slow
def test_the_same_specification_gives_the_same_weights_in_another_process(tmp_path):
    import numpy as np

    from fdl_zoo import load_model

    paths = []
    for _ in range(2):
        done = fdl(
            "train", "mlp", "--epochs", "2", "--set", "model.dropout=0.2", "--no-tracking", "--json", cwd=tmp_path
        )
        paths.append(json.loads(done.stdout)["model_path"])
    one, two = (load_model(path).get_weights() for path in paths)
    for ours, theirs in zip(one, two, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_a_terminal_sees_a_bar_with_loss_and_time_left_that_is_gone_in_the_end(tmp_path):
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*FDL, "train", "logistic_regression", "--epochs", "40", "--no-tracking"],
        cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"},
    )  # fmt: skip
    os.close(terminal)
    seen = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # the terminal is closed
            break
        if not chunk:
            break
        seen += chunk
    assert process.wait(timeout=60) == 0
    text = seen.decode()
    assert "epoch 1/40" in text
    assert "loss" in text
    assert re.search(r"left[^\n]*\d:\d\d:\d\d", text)
    assert "test_accuracy 0." in text[text.rindex("left") :]
