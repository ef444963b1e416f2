"""Mirroring against a store in memory: nothing twice, nothing lost, and training never hears of it."""

import json
import threading
import time

import pytest

from fdl_zoo.errors import TrackingError
from fdl_zoo.tracking import Point, RunDeleted
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.sender import Sender, mark_changed, mark_unsent, mirror, send_unsent

URI = "memory://store"


class Store:
    """What a tracking server keeps, which can be told to fail: `failing` names the methods that raise."""

    def __init__(self):
        self.runs, self.failing, self.calls = {}, {}, []

    def tracker(self, folder=None, uri=URI):
        return MemoryTracker(self)


class MemoryTracker:
    def __init__(self, store):
        self.store, self.run = store, None

    def _call(self, name):
        self.store.calls.append(name)
        if name in self.store.failing:
            raise self.store.failing[name]

    def begin(self, run):
        self._call("begin")
        fresh = {"facts": None, "points": [], "files": [], "models": [], "status": "RUNNING", "reason": ""}
        self.run = self.store.runs.setdefault(run.uid, fresh)
        self.run["status"] = "RUNNING" if run.status == "RUNNING" else self.run["status"]
        return f"id-{run.uid}"

    def log_facts(self, spec, facts):
        self._call("log_facts")
        self.run["facts"] = (spec, facts)

    def missing(self, points):
        self._call("missing")
        known = {(point.name, point.step) for point in self.run["points"]}
        return [point for point in points if (point.name, point.step) not in known]

    def log_points(self, points):
        self._call("log_points")
        self.run["points"] += points

    def log_artifact(self, path, folder):
        self._call("log_artifact")
        self.run["files"].append((f"{folder}/{path.name}".lstrip("/"), path.read_text()))

    def log_model(self, path, step):
        self._call("log_model")
        self.run["models"].append(step)
        return "m-1"

    def end(self, status, reason, time):
        self._call("end")
        self.run["status"], self.run["reason"] = status, reason


@pytest.fixture
def store():
    return Store()


def log(run, *numbers):
    for number in numbers:
        run.append_history({"epoch": number, "step": number, "time": 1000.0 + number, "metrics": {"loss": 1 / number}})


def losses(store, run):
    return [(point.step, point.value) for point in store.runs[run.uid]["points"] if point.name == "loss"]


def test_everything_is_mirrored_once(run, store):
    tracker = store.tracker()
    log(run, 1, 2)
    (run.artifacts / "figures").mkdir()
    (run.artifacts / "figures" / "loss.txt").write_text("picture")
    assert mirror(run, tracker)
    assert mirror(run, tracker)
    log(run, 3)
    run.update_facts(git_commit="abc")
    mirror(run, tracker)
    (run.artifacts / "top.txt").write_text("a")
    run.model.mkdir()
    (run.model / "MLmodel").write_text("flavors: {}")
    run.finish("FAILED", "the loss is NaN", {"test_loss": 0.5})
    mirror(run, tracker)
    mirror(run, tracker)
    seen = store.runs[run.uid]
    assert losses(store, run) == [(1, 1.0), (2, 1 / 2), (3, 1 / 3)]
    assert seen["points"][-1] == Point("test_loss", 0.5, run.ended, 3)
    assert seen["files"] == [("figures/loss.txt", "picture"), ("top.txt", "a")]
    assert seen["facts"] == ("model: mlp\n", {"git_commit": "abc"})
    assert (seen["status"], seen["reason"], seen["models"]) == ("FAILED", "the loss is NaN", [3])
    assert run.run_id == f"id-{run.uid}"
    assert store.calls.count("log_points") == 3
    assert store.calls.count("end") == store.calls.count("log_model") == 1


def test_nothing_new_asks_the_store_for_nothing_but_the_run(run, store):
    tracker = store.tracker()
    log(run, 1)
    mirror(run, tracker)
    store.calls.clear()
    mirror(run, tracker)
    assert store.calls == ["begin"]


@pytest.mark.parametrize("step", ["begin", "log_facts", "log_points", "log_artifact", "log_model", "end"])
def test_failure_at_any_step_is_made_up_for_without_repetition(run, store, step):
    log(run, 1, 2)
    (run.artifacts / "a.txt").write_text("a")
    (run.artifacts / "b.txt").write_text("b")
    run.model.mkdir()
    (run.model / "MLmodel").write_text("flavors: {}")
    store.failing = {step: ConnectionError("gone")}
    run.finish("FINISHED")
    with pytest.raises(ConnectionError):
        mirror(run, store.tracker())
    store.failing = {}
    mirror(run, store.tracker())
    seen = store.runs[run.uid]
    assert losses(store, run) == [(1, 1.0), (2, 0.5)]
    assert seen["models"] == [2]
    assert seen["status"] == "FINISHED"
    assert sorted(seen["files"]) == [("a.txt", "a"), ("b.txt", "b")]


def test_lost_cursor_sends_only_what_the_store_lacks(run, store):
    log(run, 1, 2)
    mirror(run, store.tracker())
    (run.path / "sent.json").unlink()
    log(run, 3)
    mirror(run, store.tracker())
    assert losses(store, run) == [(1, 1.0), (2, 1 / 2), (3, 1 / 3)]


@pytest.mark.parametrize("again", [(3,), (3, 4), (3, 4, 5, 6)])
def test_resumed_run_sends_only_what_follows(run, store, again):
    tracker = store.tracker()
    log(run, 1, 2, 3, 4)
    mirror(run, tracker)
    run.finish("KILLED", "by the user")
    mirror(run, tracker)
    run.acquire()
    run.cut_history(step=2)
    log(run, *again)
    mirror(run, store.tracker())
    assert store.runs[run.uid]["status"] == "RUNNING"
    run.finish("FINISHED")
    mirror(run, store.tracker())
    assert losses(store, run) == [(step, 1 / step) for step in range(1, max(4, *again) + 1)]
    assert store.runs[run.uid]["status"] == "FINISHED"


def test_changed_artifact_is_sent_again(run, store):
    (run.artifacts / "a.txt").write_text("a")
    mirror(run, store.tracker())
    (run.artifacts / "a.txt").write_text("longer")
    mirror(run, store.tracker())
    assert store.runs[run.uid]["files"] == [("a.txt", "a"), ("a.txt", "longer")]


def test_one_sender_at_a_time(run, store):
    started, go_on = threading.Event(), threading.Event()

    class Slow(MemoryTracker):
        def log_facts(self, spec, facts):
            started.set()
            go_on.wait(10)

    log(run, 1)
    results = []
    slow = threading.Thread(target=lambda: results.append(mirror(run, Slow(store))))
    slow.start()
    started.wait(10)
    assert mirror(run, store.tracker()) is False
    go_on.set()
    slow.join()
    assert results == [True]
    assert losses(store, run) == [(1, 1.0)]


def test_sender_mirrors_while_training_goes_on(run, store):
    sender = Sender(run, URI, interval=0.01, tracker=store.tracker)
    log(run, 1)
    sender.notify()
    deadline = time.monotonic() + 10
    while "log_points" not in store.calls and time.monotonic() < deadline:
        time.sleep(0.005)
    assert losses(store, run) == [(1, 1.0)]
    log(run, 2)
    sender.notify()
    run.finish("FINISHED")
    assert sender.close(10) is None
    assert losses(store, run) == [(1, 1.0), (2, 0.5)]
    assert store.runs[run.uid]["status"] == "FINISHED"
    assert not (run.path / "unsent").exists()


def test_sender_coalesces_what_comes_faster_than_its_interval(run, store):
    sender = Sender(run, URI, interval=60, tracker=store.tracker)
    for number in range(1, 51):
        log(run, number)
        sender.notify()
    run.finish("FINISHED")
    assert sender.close(10) is None
    assert len(losses(store, run)) == 50
    assert store.calls.count("log_points") <= 2


def test_unreachable_store_is_told_in_one_sentence_and_made_up_for_later(run, store, tmp_path):
    store.failing = {"begin": ConnectionError("no answer from http://me:hunter2@host\nand a traceback")}
    sender = Sender(run, URI, interval=0.01, tracker=store.tracker)
    log(run, 1, 2)
    sender.notify()
    run.finish("FINISHED")
    message = sender.close(10)
    assert "hunter2" not in message
    assert "\n" not in message
    assert message.startswith(f"The run {run.name} is not yet in the tracking store {URI} (no answer from")
    assert message.endswith("nothing is lost: the next `fdl` command sends it.")
    root = tmp_path / "mlruns"
    assert len(send_unsent(root, tracker=store.tracker)) == 1
    store.failing = {}
    assert send_unsent(root, tracker=store.tracker) == []
    assert losses(store, run) == [(1, 1.0), (2, 0.5)]
    assert store.runs[run.uid]["status"] == "FINISHED"
    store.calls.clear()
    assert send_unsent(root, tracker=store.tracker) == []
    assert store.calls == []


def test_store_that_hangs_does_not_hold_the_end_up(run, store):
    hung = threading.Event()

    class Hanging(MemoryTracker):
        def begin(self, run):
            hung.wait(30)
            return super().begin(run)

    sender = Sender(run, URI, tracker=lambda folder, uri: Hanging(store))
    before = time.monotonic()
    log(run, 1)
    sender.notify()
    run.finish("FINISHED")
    assert "did not answer within 0.2 s" in sender.close(0.2)
    assert time.monotonic() - before < 5
    hung.set()


def test_later_command_leaves_a_run_at_work_alone_and_ends_an_interrupted_one(make_run, store, tmp_path):
    at_work, dead = make_run("at-work"), make_run("dead")
    log(dead, 1)
    for run in (at_work, dead):
        mark_unsent(run, URI)
    dead.release()
    assert send_unsent(tmp_path / "mlruns", tracker=store.tracker) == []
    assert set(store.runs) == {dead.uid}
    assert store.runs[dead.uid]["status"] == "KILLED"
    assert "died" in store.runs[dead.uid]["reason"]
    dead.acquire()
    mirror(dead, store.tracker())
    assert store.runs[dead.uid]["status"] == "RUNNING"


def test_one_store_that_is_gone_is_tried_once_and_others_are_served(make_run, store, tmp_path):
    tried = []

    def tracker(folder, uri):
        tried.append(uri)
        if uri == "http://gone":
            raise ConnectionError("gone")
        return store.tracker()

    for name, uri in (("a", "http://gone"), ("b", URI), ("c", "http://gone")):
        run = make_run(name)
        mark_unsent(run, uri)
        run.finish("FINISHED")
    messages = send_unsent(tmp_path / "mlruns", tracker=tracker)
    assert [message.split()[2] for message in messages] == ["a", "c"]
    assert tried == ["http://gone", URI]
    assert len(store.runs) == 1


def test_a_run_that_cannot_be_sent_keeps_no_other_back(make_run, store, tmp_path):
    def tracker(folder, uri):
        if folder.name == "a":
            raise TrackingError("its experiment was deleted there")
        return store.tracker()

    for name in "abc":
        run = make_run(name)
        mark_unsent(run, URI)
        run.finish("FINISHED")
    (message,) = send_unsent(tmp_path / "mlruns", tracker=tracker)
    assert message.startswith("The run a is not yet in")
    assert len(store.runs) == 2


def test_what_is_added_while_a_run_is_sent_goes_with_the_next_command(run, store, tmp_path):
    mark_unsent(run, URI)
    run.finish("FINISHED")
    mirror(run, store.tracker())
    late = run.artifacts / "late.txt"

    class Slow(MemoryTracker):
        def log_artifact(self, path, folder):
            super().log_artifact(path, folder)
            if not late.exists():  # another command, once this one has looked into the folder
                late.write_text("drawn meanwhile")
                mark_changed(run)

    (run.artifacts / "first.txt").write_text("drawn before")
    mark_changed(run)
    mirror(run, Slow(store))
    assert (run.path / "unsent").exists()
    assert send_unsent(tmp_path / "mlruns", tracker=store.tracker) == []
    (sent,) = store.runs.values()
    assert {name for name, _ in sent["files"]} == {"first.txt", "late.txt"}
    assert not (run.path / "unsent").exists()


def test_password_of_a_store_is_asked_of_the_environment(run, store, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mark_unsent(run, "http://me:hunter2@host")
    run.finish("FINISHED")
    assert "hunter2" not in (run.path / "sent.json").read_text()
    uris = []
    root = tmp_path / "mlruns"

    def tracker(folder, uri):
        uris.append(uri)
        return store.tracker()

    assert "set MLFLOW_TRACKING_URI" in send_unsent(root, tracker=tracker)[0]
    assert uris == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@host")
    assert send_unsent(root, tracker=tracker) == []
    assert uris == ["http://me:hunter2@host"]


def test_an_address_from_a_specification_gets_its_secrets_back(make_run, store, monkeypatch):
    stated, full = "http://***@elsewhere", "http://me:hunter2@elsewhere"
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    uris = []

    def sent(name, uri):
        run = make_run(name)
        sender = Sender(run, uri, tracker=lambda folder, uri: uris.append(uri) or store.tracker())
        run.finish("FINISHED")
        return sender.close(5)

    assert f"{stated} (its password is known to nobody here, set MLFLOW_TRACKING_URI)" in sent("a", stated)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", full)
    assert sent("b", stated) is None
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert sent("c", full) is None  # from now on this process knows it, to register the model for example
    assert sent("d", stated) is None
    assert uris == [full] * 3


def test_embedded_store_moves_with_its_folder(run, store, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mark_unsent(run, f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    run.finish("FINISHED")
    (tmp_path / "mlruns").rename(tmp_path / "moved")
    uris = []
    send_unsent(tmp_path / "moved", tracker=lambda folder, uri: uris.append(uri) or store.tracker())
    assert uris == [f"sqlite:///{tmp_path}/moved/mlflow.db"]


def test_run_that_was_deleted_in_the_store_is_not_sent_again(run, store, tmp_path):
    mark_unsent(run, URI)
    run.finish("FINISHED")
    store.failing = {"begin": RunDeleted("deleted")}
    assert send_unsent(tmp_path / "mlruns", tracker=store.tracker) == []
    store.failing = {}
    assert send_unsent(tmp_path / "mlruns", tracker=store.tracker) == []
    assert store.runs == {}
    assert RunFolder.open(run.path).status == "FINISHED"


def test_run_without_tracking_is_never_sent(run, store, tmp_path):
    run.finish("FINISHED")
    assert send_unsent(tmp_path / "mlruns", tracker=store.tracker) == []
    assert store.calls == []


def test_damaged_cursor_or_folder_does_not_stop_the_others(make_run, store, tmp_path):
    one, two = make_run("one"), make_run("two")
    for run in (one, two):
        mark_unsent(run, URI)
        run.finish("FINISHED")
    (one.path / "run.json").write_text("{")
    (two.path / "sent.json").write_text(json.dumps({"unknown": 1}))
    messages = send_unsent(tmp_path / "mlruns", tracker=store.tracker)
    assert len(messages) == 1
    assert "one" in messages[0]
    assert "run.json" in messages[0]
    assert store.runs[two.uid]["status"] == "FINISHED"
