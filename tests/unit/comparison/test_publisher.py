"""The parent's one writer to the store: what it sends, what it keeps for later, and in which order that is sent."""

import os
import time

from fdl_zoo.comparison.publisher import Publisher
from fdl_zoo.tracking import NullTracker
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.sender import mark_unsent, send_unsent

URI = "sqlite:////nowhere/mlflow.db"


class Store(NullTracker):
    """Notes which runs it was told of; raises while it is gone."""

    def __init__(self):
        self.begun, self.ended, self.points, self.gone = [], [], [], False

    def tracker(self, folder, uri):
        store = self

        class Tracker(NullTracker):
            def begin(self, run):
                if store.gone:
                    raise ConnectionError("the store is gone")
                if run.name not in store.begun:
                    store.begun.append(run.name)
                return run.name

            def missing(self, points):
                return [each for each in points if (folder.name, each.name, each.step) not in store.points]

            def log_points(self, points):
                store.points += [(folder.name, point.name, point.step) for point in points]

            def end(self, status, reason, time):
                store.ended.append((folder.name, status))

        return Tracker()


def run(root, name, ended=True):
    folder = RunFolder.create(name, spec="model: {name: mlp}\n", facts={}, root=root)
    folder.append_history({"epoch": 1, "step": 5, "metrics": {"loss": 1.0}})
    if ended:
        folder.finish("FINISHED", metrics={"test_loss": 2.0})
    return folder


def test_runs_are_sent_while_they_train_and_once_as_they_ended(tmp_path):
    store = Store()
    publisher = Publisher(URI, seconds=0.01, tracker=store.tracker)
    open_run = run(tmp_path, "parent", ended=False)
    publisher.add(open_run)
    publisher.add(run(tmp_path, "child"))
    deadline = time.monotonic() + 10
    while len(store.points) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ("parent", "loss", 5) in store.points
    assert store.ended == [("child", "FINISHED")]
    open_run.finish("FAILED", "because")
    assert publisher.close() is None
    assert store.begun == ["parent", "child"]
    assert store.ended == [("child", "FINISHED"), ("parent", "FAILED")]
    assert len(store.points) == len(set(store.points))
    assert not list(tmp_path.glob("runs/*/unsent"))


def test_what_a_store_that_is_gone_has_not_got_is_sent_later_parents_first(tmp_path):
    store = Store()
    store.gone = True
    publisher = Publisher(URI, seconds=0.01, tracker=store.tracker)
    for age, name in enumerate(["z-parent", "a-child"]):
        folder = run(tmp_path, name)
        os.utime(folder.path / "spec.yaml", (1000 + age, 1000 + age))
        publisher.add(folder)
    message = publisher.close()
    assert message.startswith("2 runs of this sweep are not yet in the tracking store")
    assert "the store is gone" in message
    assert len(list(tmp_path.glob("runs/*/unsent"))) == 2
    store.gone = False
    for folder in tmp_path.glob("runs/*"):
        mark_unsent(RunFolder.open(folder), URI)
    assert send_unsent(tmp_path, tracker=store.tracker) == []
    assert store.begun == ["z-parent", "a-child"]
