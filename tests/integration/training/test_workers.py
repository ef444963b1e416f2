"""Two workers in processes of their own: the result of one device, a worker that dies, and resuming after that."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import yaml

import fdl_zoo as fdl
from fdl_zoo.tracking.folder import list_folders
from fdl_zoo.training import choice, meeting, provenance
from fdl_zoo.training.cluster import Cluster, _free_ports
from fdl_zoo.training.progress import Silent
from tests.integration.plugins.written import write_folder

FDL = [sys.executable, "-c", "from fdl_zoo.cli import main; main()"]
# Ends where TensorFlow would connect the workers.
DYING = [
    FDL[0],
    "-c",
    f"import os; from fdl_zoo.training import strategy as s; s.multiworker = lambda: os._exit(3); {FDL[2]}",
]
TRAIN = ["train", "mlp", "--strategy", "multiworker", "--no-tracking", "--batch-size", "100"]

# A dataset that opens with a password only, as a plugin of a folder: the workers of a trial find it by the environment.
GUARDED = '''"""Digits behind a door."""

from fdl_zoo.card import Card
from fdl_zoo.datasets import digits

CARD = Card(task="classification", input_shape=(8, 8, 1), num_outputs=10)


def build(*, password: str = ""):
    """Builds it.

    Args:
        password: Opens it.
    """
    assert password == "hunter2", password
    return digits.build()
'''

# A worker by itself, with no command of ours around it; the second takes itself for a slower machine.
CHOOSING = """
import json, os
import keras, numpy as np, tensorflow as tf
import fdl_zoo as fdl
from fdl_zoo.training import choice
if json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 1:
    choice.OPERATIONS_PER_SECOND /= 4
with tf.distribute.MultiWorkerMirroredStrategy().scope():
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(1000), keras.layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
feed = fdl.accelerate(model, np.ones((1000, 64), "float32"), np.arange(1000) % 10, batch_size=100)
model.fit(feed, epochs=2, verbose=0)
print("block", feed.block)
"""

pytestmark = pytest.mark.slow


def start(folder, *arguments, command=FDL, session=False, **environment):
    environment = {**os.environ, **environment}
    return subprocess.Popen(
        [*command, *arguments], cwd=folder, env=environment, text=True, start_new_session=session,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finished(process):
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def configuration(workers, index):
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


@pytest.mark.parametrize(("optimizer", "batch"), [("adam", 100), pytest.param("lbfgs", "full", marks=pytest.mark.long)])
def test_two_workers_give_what_one_device_gives(optimizer, batch, tmp_path):
    same = {"epochs": 2, "seed": 1, "precision": "float64", "optimizer": optimizer, "batch_size": batch}
    flags = ["--epochs", "2", "--seed", "1", "--precision", "float64", "--set", "model.units=[32]"]
    finished(start(tmp_path, *TRAIN, "--workers", "2", *flags, "--optimizer", optimizer, "--batch-size", str(batch)))
    double = fdl.find_run("last", root=tmp_path / "mlruns")
    model = {"name": "mlp", "units": (32,)}
    single = fdl.train(model, root=tmp_path / "single", progress=Silent(), settings=["tracking.enabled=false"], **same)
    for one, two in zip(single.model.get_weights(), double.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-10)
    # Keras's loss metric counts the replicas' shares of an uneven last batch (37 examples) as equal.
    for name in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(single.history[name], double.history[name], rtol=1e-4)
    assert double.metrics["test_accuracy"] == pytest.approx(single.metrics["test_accuracy"])


def test_a_secret_reaches_the_workers_whole_and_no_file(tmp_path):
    plugin = write_folder(tmp_path / "plugins", "guarded", {"guarded": "guarded_digits:build"})
    (plugin / "guarded_digits.py").write_text(GUARDED)
    secret = ["--data", "guarded", "--set", "data.password=hunter2"]
    plugins = {"FDL_ZOO_PLUGINS": "all", "FDL_ZOO_PLUGINS_DIR": str(tmp_path / "plugins")}
    finished(start(tmp_path, *TRAIN, "--workers", "2", "--epochs", "1", *secret, **plugins))
    files = [path for path in (tmp_path / "mlruns").rglob("*") if path.is_file()]
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []
    assert yaml.safe_load((fdl.find_run("last", root=tmp_path / "mlruns").path / "spec.yaml").read_text())["data"] == {
        "name": "guarded/guarded",
        "password": "***",
    }


def test_machines_of_a_cluster_meet_by_their_addresses_and_only_the_first_records(tmp_path):
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    places = [tmp_path / name for name in ("first", "second")]
    for place in places:
        place.mkdir()
    command = ["train", "mlp", "--strategy", "multiworker", "--epochs", "2", "--set", "model.batch_norm=true"]
    started = [start(place, *command, TF_CONFIG=configuration(workers, k)) for k, place in enumerate(places)]
    for process in started:
        finished(process)
    assert not list(places[1].iterdir())
    run = fdl.find_run("last", root=places[0] / "mlruns")
    assert run.status == "FINISHED"
    assert run.run_id
    assert not (run.path / "unsent").exists()
    assert run.metrics["test_accuracy"] > 0.85
    data = fdl.load_dataset("digits")
    logits = run.model.predict(data.test.x, verbose=0)
    assert np.mean(logits.argmax(1) == data.test.y) == pytest.approx(run.metrics["test_accuracy"])


def test_workers_with_files_of_one_name_that_differ_are_refused_by_all(tmp_path):
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    command, started = ["train", "logistic_regression", *TRAIN[2:], "--data", "d.csv"], []
    for index, rows in enumerate((200, 400)):  # other numbers of steps, too: they would wait for each other
        place = tmp_path / str(index)
        place.mkdir()
        (place / "d.csv").write_text("x,label\n" + "".join(f"{row / rows},{row % 2}\n" for row in range(rows)))
        started.append(start(place, *command, TF_CONFIG=configuration(workers, index)))
    for process in started:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 2, output
        assert f"Worker 1 ({workers[1]}) cannot train together with worker 0 ({workers[0]}): csv (d.csv)" in output
    assert not list_folders(tmp_path / "0" / "mlruns")


def test_workers_that_would_choose_different_blocks_take_the_first_ones():
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CHOOSING], env={**os.environ, "TF_CONFIG": configuration(workers, k)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for k in range(2)
    ]  # fmt: skip
    lines = [finished(process).splitlines()[-1] for process in started]
    operations = 100 * 6 * 75_010  # of a step of 100 examples: 6 for each weight
    block = math.ceil(choice.BLOCK_SECONDS * choice.OPERATIONS_PER_SECOND / operations)
    assert lines[0] == lines[1] == f"block {block}"


def has_begun(root):
    """An epoch has ended, and its checkpoint is written."""
    deadline = time.monotonic() + 120
    while not any(folder.history() and list(folder.checkpoints.glob("state-*.npz")) for folder in list_folders(root)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


MASKED = ["--epochs", "20", "--set", "model.units=[32]", "--set", "model.dropout=0.3", "--set", "block=4"]


def test_a_worker_that_is_lost_while_tensorflow_loads_is_named_instead_of_waited_for(tmp_path):
    addresses = tuple(f"127.0.0.1:{port}" for port in _free_ports(2))
    first = start(tmp_path, *TRAIN, "--epochs", "1", TF_CONFIG=configuration(addresses, 0))
    _, readiness = meeting.join(Cluster(addresses, 1), None, provenance.all_versions())
    readiness.connections[0].close()
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 1
    assert f"fdl: Worker 1 ({addresses[1]}) came, and ended before training began" in output
    (folder,) = list_folders(tmp_path / "mlruns")
    assert (folder.status, folder.history()) == ("FAILED", [])


@pytest.mark.parametrize("lost", [0, 1])
def test_a_worker_that_is_lost_while_tensorflow_connects_is_named_instead_of_waited_for(lost, tmp_path):
    addresses = tuple(f"127.0.0.1:{port}" for port in _free_ports(2))
    arguments, temporary = [*TRAIN, "--epochs", "1"], tmp_path / "temporary"
    temporary.mkdir()
    left = start(tmp_path, *arguments, TF_CONFIG=configuration(addresses, 1 - lost), TMPDIR=str(temporary))
    dying = start(tmp_path, *arguments, command=DYING, TF_CONFIG=configuration(addresses, lost))
    output, _ = dying.communicate(timeout=60)
    assert dying.returncode == 3, output
    died = time.monotonic()
    output, _ = left.communicate(timeout=60)
    assert time.monotonic() - died < 15
    assert left.returncode == -signal.SIGKILL, output
    assert f"fdl: Worker {lost} ({addresses[lost]}) ended while TensorFlow connected the workers" in output
    assert not list(temporary.glob("fdl-worker-*"))
    if lost == 1:
        (folder,) = list_folders(tmp_path / "mlruns")
        assert (folder.status, folder.history()) == ("FAILED", [])
        assert folder.reason in output


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two workers that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    assert "epoch 20/20" in finished(start(folder, *TRAIN, "--workers", "2", *MASKED))
    return folder


def test_a_worker_that_dies_ends_the_run_within_fifteen_seconds_and_it_can_be_resumed(whole, tmp_path):
    process = start(tmp_path, *TRAIN, "--workers", "2", *MASKED)
    has_begun(tmp_path / "mlruns")
    (other,) = [each for each in psutil.Process(process.pid).children() if "follower" in " ".join(each.cmdline())]
    other.send_signal(signal.SIGKILL)
    died = time.monotonic()
    output, _ = process.communicate(timeout=60)
    assert time.monotonic() - died < 15
    assert process.returncode == 1
    (folder,) = list_folders(tmp_path / "mlruns")
    assert folder.status == "FAILED"
    assert "worker" in folder.reason
    assert f"fdl resume {folder.name}" in output
    assert "Traceback" not in output
    finished(start(tmp_path, "resume", "last"))
    assert_same_runs(whole, tmp_path)


def test_weights_to_start_from_need_lie_with_the_first_worker_only(whole, tmp_path):
    places = [tmp_path / name for name in ("first", "second")]
    for place in places:
        place.mkdir()
    (source,) = list_folders(whole / "mlruns")
    (places[0] / "weights.keras").write_bytes((source.checkpoints / "last.keras").read_bytes())
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    command = [*TRAIN, "--epochs", "1", "--set", "model.units=[32]", "--init-from", "weights.keras", "--lr", "1e-12"]
    started = [start(place, *command, TF_CONFIG=configuration(workers, k)) for k, place in enumerate(places)]
    for process in started:
        finished(process)
    runs = [fdl.find_run("last", root=root / "mlruns") for root in (whole, places[0])]
    for one, two in zip(*(run.model.get_weights() for run in runs), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_ctrl_c_ends_all_workers_within_five_seconds_and_resuming_gives_the_uninterrupted_run(whole, tmp_path):
    process = start(tmp_path, *TRAIN, "--workers", "2", *MASKED, session=True)
    has_begun(tmp_path / "mlruns")
    others = psutil.Process(process.pid).children(recursive=True)
    asked = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert time.monotonic() - asked < 5
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert others
    assert not [each for each in others if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    (folder,) = list_folders(tmp_path / "mlruns")
    assert folder.status == "KILLED"
    assert list(folder.checkpoints.glob("state-*"))
    finished(start(tmp_path, "resume", "last"))
    assert_same_runs(whole, tmp_path)


@pytest.mark.long
def test_workers_who_started_from_weights_go_on_without_them(whole, tmp_path):
    (source,) = list_folders(whole / "mlruns")
    weights = tmp_path / "weights.keras"
    weights.write_bytes((source.checkpoints / "last.keras").read_bytes())
    command = [*TRAIN, "--workers", "2", *MASKED, "--epochs", "8", "--init-from", str(weights)]
    places = [tmp_path / name for name in ("uninterrupted", "killed")]
    for place in places:
        place.mkdir()
    finished(start(places[0], *command))
    process = start(places[1], *command, session=True)
    has_begun(places[1] / "mlruns")
    kill(process)
    weights.unlink()
    assert "epoch 8/8" in finished(start(places[1], "resume", "last"))
    assert_same_runs(*places)


@pytest.mark.long
def test_workers_who_go_on_from_within_an_epoch_have_each_its_own_masks_and_sums(whole, tmp_path):
    process = start(tmp_path, *TRAIN, "--workers", "2", *MASKED, "--checkpoint-every", "4steps", session=True)
    deadline = time.monotonic() + 120
    while not within_an_epoch(tmp_path):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    kill(process)
    (folder,) = list_folders(tmp_path / "mlruns")
    for complete in folder.checkpoints.glob("state-*-000000000.npz"):
        complete.unlink()  # so that it goes on from within an epoch, whenever the kill came
    assert within_an_epoch(tmp_path)
    finished(start(tmp_path, "resume", "last"))
    assert_same_runs(whole, tmp_path)


def kill(process):
    """All of a trial's workers at once."""
    for each in (*psutil.Process(process.pid).children(recursive=True), process):
        each.kill()
    process.communicate()


def within_an_epoch(place):
    """The checkpoints of steps that end no epoch."""
    return [
        each for each in place.glob("mlruns/runs/*/checkpoints/state-*.npz") if not each.stem.endswith("-000000000")
    ]


def assert_same_runs(one, other):
    runs = [fdl.find_run("last", root=place / "mlruns") for place in (one, other)]
    for name in ("loss", "accuracy", "val_loss"):
        assert runs[0].history[name] == runs[1].history[name]
    for left, right in zip(*(run.model.get_weights() for run in runs), strict=True):
        np.testing.assert_array_equal(left, right)
