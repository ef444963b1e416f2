"""What MLflow has of a run after it was mirrored into the embedded store."""

import math
import sqlite3

import pytest

from fdl_zoo.tracking import RunDeleted
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.mlflow import MlflowTracker
from fdl_zoo.tracking.names import safe_key
from fdl_zoo.tracking.sender import mark_unsent, mirror, send_unsent


def test_store_shows_the_whole_run(uri, run, root, log, client, points):
    log(run, 1, 2)
    (run.artifacts / "figures").mkdir()
    (run.artifacts / "figures" / "loss.png").write_bytes(b"picture")
    run.finish("FINISHED", metrics={"test_accuracy": 0.97})
    mirror(run, MlflowTracker(uri))
    seen = client(uri).get_run(run.run_id)
    assert (seen.info.run_name, seen.info.status) == (run.name, "FINISHED")
    assert seen.info.start_time == int(run.started * 1000)
    assert seen.info.end_time == int(run.ended * 1000)
    assert seen.data.params == {
        "model.name": "mlp",
        "model.units": "[256, 256]",
        "data": "digits",
        "optimizer.name": "adam",
        "optimizer.learning_rate": "0.001",
        "epochs": "3",
    }
    tags = seen.data.tags
    assert tags["mlflow.source.name"] == "fdl train"
    assert tags["command"] == "fdl train mlp --tracking-uri http://***@host:5000"
    assert [name for name, value in tags.items() if value == run.facts["git_commit"]] == ["mlflow.source.git.commit"]
    assert tags["versions.keras"] == "3.15.1"
    assert "reason" not in tags
    assert seen.data.metrics == {"loss": 0.5, "val_loss": 1.0, "test_accuracy": 0.97}
    assert points(uri, run) == [(23, 1.0), (46, 0.5)]
    assert points(uri, run, "test_accuracy") == [(46, 0.97)]
    (dataset,) = seen.inputs.dataset_inputs
    assert dataset.dataset.name == "digits"
    assert {tag.key: tag.value for tag in dataset.tags}["sha256"] == "ab" * 32
    listed = [each.path for each in client(uri).list_artifacts(run.run_id)]
    assert listed == ["figures", "spec.yaml"]
    experiment = client(uri).get_experiment(seen.info.experiment_id)
    assert (experiment.name, experiment.artifact_location) == ("fdl_zoo", (root / "artifacts" / "fdl_zoo").as_uri())


def test_no_secret_reaches_the_store(uri, run, root, log):
    log(run, 1)
    run.update_facts(data_uri="postgresql://me:hunter2@db/x?password=hunter2")
    run.finish("FAILED", "lost http://me:hunter2@host")
    mirror(run, MlflowTracker(uri))
    dump = "\n".join(sqlite3.connect(root / "mlflow.db").iterdump())
    assert "lost http://***@host" in dump
    assert "hunter2" not in dump


def test_values_that_are_not_finite_arrive(uri, run, log, points):
    log(run, 1, loss=math.nan, val_loss=math.inf)
    mirror(run, MlflowTracker(uri))
    ((step, value),) = points(uri, run)
    assert step == 23
    assert math.isnan(value)
    assert points(uri, run, "val_loss")[0][1] > 1e308


def test_sent_again_after_a_crash_before_the_cursor_was_written(uri, run, log, client, points):
    log(run, 1, 2)
    mirror(run, MlflowTracker(uri))
    before = (run.path / "sent.json").read_text()
    log(run, 3)
    mirror(run, MlflowTracker(uri))
    (run.path / "sent.json").write_text(before)
    mirror(run, MlflowTracker(uri))
    (run.path / "sent.json").unlink()
    mirror(run, MlflowTracker(uri))
    assert points(uri, run) == [(23, 1.0), (46, 1 / 2), (69, 1 / 3)]
    assert len(client(uri).search_runs(["1"])) == 1


def test_resumed_run_is_one_run_with_each_step_once(uri, run, log, client, points):
    log(run, 1, 2, 3)
    run.finish("KILLED", "by the user")
    mirror(run, MlflowTracker(uri))
    assert client(uri).get_run(run.run_id).data.tags["reason"] == "by the user"
    run.acquire()
    (run.path / "spec.yaml").write_text(run.spec.replace("epochs: 3", "epochs: 5"))
    run.cut_history(step=46)
    tracker = MlflowTracker(uri)
    mirror(run, tracker)
    assert client(uri).get_run(run.run_id).info.status == "RUNNING"
    log(run, 3, 4, 5)
    run.finish("FINISHED")
    mirror(run, tracker)
    seen = client(uri).get_run(run.run_id)
    assert [step for step, _ in points(uri, run)] == [23, 46, 69, 92, 115]
    assert (seen.info.status, seen.data.params["epochs"], seen.data.tags["resumed.epochs"]) == ("FINISHED", "3", "5")
    assert "reason" not in seen.data.tags


def test_experiment_of_another_name_is_made_with_its_own_place(uri, make_run, root, log):
    run = make_run(experiment="chapter 8/adam")
    log(run, 1)
    mirror(run, MlflowTracker(uri, "chapter 8/adam"))
    (run.artifacts / "a.txt").write_text("a")
    mirror(run, MlflowTracker(uri, "chapter 8/adam"))
    assert list((root / "artifacts" / "chapter 8_adam").rglob("a.txt"))


def test_run_deleted_in_the_store_is_left_alone(uri, run, root, log, client, points):
    log(run, 1)
    mark_unsent(run, uri)
    mirror(run, MlflowTracker(uri))
    client(uri).delete_run(run.run_id)
    log(run, 2)
    with pytest.raises(RunDeleted):
        MlflowTracker(uri).begin(run)
    run.finish("FINISHED")
    assert send_unsent(root) == []
    assert not (run.path / "unsent").exists()
    assert points(uri, run) == [(23, 1.0)]


def test_a_deleted_experiment_is_told_until_it_is_restored(uri, make_run, root, log, client, points):
    first, second = make_run(), make_run("mlp-digits-000002")
    mirror(first, MlflowTracker(uri))
    experiment = client(uri).get_run(first.run_id).info.experiment_id
    client(uri).delete_experiment(experiment)
    log(second, 1)
    second.finish("FINISHED")
    mark_unsent(second, uri)
    second.release()
    (message,) = send_unsent(root)
    assert f"was deleted there; `mlflow experiments restore --experiment-id {experiment}` brings it back" in message
    assert message.endswith("nothing is lost: the next `fdl` command sends it.")
    client(uri).restore_experiment(experiment)
    assert send_unsent(root) == []
    assert points(uri, second) == [(23, 1.0)]


def test_mirror_is_made_anew_from_the_folders_when_the_store_is_lost(uri, run, root, new_store, log, points):
    log(run, 1, 2)
    run.finish("FINISHED")
    mirror(run, MlflowTracker(uri))
    first = run.run_id
    other = root / "another.db"
    other.write_bytes(new_store.read_bytes())
    (run.path / "unsent").touch()
    mirror(run, MlflowTracker(f"sqlite:///{other}"))
    assert run.run_id != first
    assert points(f"sqlite:///{other}", run) == [(23, 1.0), (46, 0.5)]


def test_moved_runs_are_mirrored_into_a_store_in_the_new_place(uri, run, root, tmp_path, copy_store, new_store, points):
    log_file = run.artifacts / "a.txt"
    log_file.write_text("a")
    run.append_history({"epoch": 1, "step": 23, "metrics": {"loss": 1.0}})
    run.finish("FINISHED")
    mirror(run, MlflowTracker(uri))
    (tmp_path / "elsewhere").mkdir()
    (root / "runs").rename(tmp_path / "elsewhere" / "runs")
    copy_store(new_store, tmp_path / "elsewhere" / "mlflow.db")
    moved = RunFolder.open(tmp_path / "elsewhere" / "runs" / run.name)
    (moved.path / "sent.json").unlink()
    (moved.path / "unsent").touch()
    assert send_unsent(tmp_path / "elsewhere") == []
    there = f"sqlite:///{tmp_path}/elsewhere/mlflow.db"
    assert points(there, moved) == [(23, 1.0)]
    assert list((tmp_path / "elsewhere" / "artifacts").rglob("a.txt"))


def test_more_values_than_one_request_takes(uri, run, log, points):
    for number in range(1, 301):
        log(run, number, **{f"layer_{index}": float(index) for index in range(5)})
    mirror(run, MlflowTracker(uri))
    assert len(points(uri, run)) == len(points(uri, run, "layer_4")) == 300


@pytest.mark.parametrize("name", ["top@5", "a=b", "[x]", "a//b", "..", "x" * 400, "é", "plain/ok 1.2-3_4"])
def test_any_name_is_brought_into_a_form_that_mlflow_takes(uri, run, name, log, points):
    log(run, 1, **{name: 2.5})
    run.update_facts(**{name: "fact"})
    mirror(run, MlflowTracker(uri))
    assert points(uri, run, safe_key(name)) == [(23, 2.5)]
    assert name != "plain/ok 1.2-3_4" or safe_key(name) == name
