"""The run's folder: round trips, what a crash leaves, who owns it, and how it is found."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fdl_zoo.errors import TrackingError, UnknownName
from fdl_zoo.tracking import owner
from fdl_zoo.tracking.files import Lock
from fdl_zoo.tracking.folder import RunFolder, find_folder, list_folders, new_name


def epoch(number, **metrics):
    return {"epoch": number, "step": 23 * number, "time": 1000.0 + number, "metrics": metrics}


def test_new_run_reads_back_as_it_was_made(tmp_path):
    facts = {"command": "fdl train mlp", "versions": {"keras": "3.15.1"}, "sizes": (3, 4)}
    folder = RunFolder.create("mlp-digits-7f3a2c", spec="model: mlp\n", facts=facts, root=tmp_path)
    read = RunFolder.open(folder.path)
    assert (read.name, read.spec, read.status, read.reason) == ("mlp-digits-7f3a2c", "model: mlp\n", "RUNNING", "")
    assert read.facts == {"command": "fdl train mlp", "versions": {"keras": "3.15.1"}, "sizes": [3, 4]}
    assert read.metrics == {}
    assert read.run_id is None
    assert read.history() == []
    assert read.ended is None
    assert read.checkpoints.is_dir()
    assert read.artifacts.is_dir()
    folder.update_facts(git_commit="abc", command="again")
    assert read.facts["git_commit"] == "abc"
    assert read.facts["command"] == "again"
    assert "versions" in read.facts
    folder.finish("FINISHED", metrics={"test_accuracy": 0.97, "test_loss": math.nan})
    assert read.status == "FINISHED"
    assert read.metrics["test_accuracy"] == 0.97
    assert math.isnan(read.metrics["test_loss"])
    assert read.ended >= read.started


def test_history_keeps_every_value_as_valid_json(run):
    run.append_history(epoch(0, loss=0.1, val_loss=math.inf))
    run.append_history(epoch(1, loss=-math.inf, val_loss=math.nan))
    run.append_history({"step": 30, "metrics": {"loss": 1}})
    first, second, third = run.history()
    assert first == epoch(0, loss=0.1, val_loss=math.inf)
    assert second["metrics"]["loss"] == -math.inf
    assert math.isnan(second["metrics"]["val_loss"])
    assert third["metrics"] == {"loss": 1.0}
    assert abs(third["time"] - time.time()) < 60
    for line in (run.path / "history.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize(
    "torn", ['{"epoch": 2, "step": 46, "met', '{"epoch": 2}\n', "\x00\x00\n", '{"epoch": 2, "step": 4']
)
def test_torn_line_is_left_out_and_does_not_spoil_the_next(run, torn):
    run.append_history(epoch(0, loss=1.0))
    run.release()
    with open(run.path / "history.jsonl", "a") as file:
        file.write(torn)
    assert run.history() == [epoch(0, loss=1.0)]
    run.acquire()
    run.append_history(epoch(3, loss=0.5))
    assert run.history() == [epoch(0, loss=1.0), epoch(3, loss=0.5)]


def test_cut_history_ends_at_the_step_and_can_be_appended_to(run):
    for number in range(4):
        run.append_history(epoch(number, loss=number))
    run.cut_history(step=23)
    run.append_history(epoch(2, loss=7.0))
    assert [line["metrics"]["loss"] for line in run.history()] == [0.0, 1.0, 7.0]
    run.cut_history(step=23, epochs=0)  # within an epoch whose line has been written already
    assert [line["metrics"]["loss"] for line in run.history()] == [0.0]


def test_crash_while_writing_leaves_the_old_record(run, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        run.update_facts(command="new")
    monkeypatch.undo()
    assert run.facts == {}
    assert {path.name for path in run.path.iterdir()} >= {"run.json", "spec.yaml"}
    assert not list(run.path.glob(".run.json*"))


def test_full_disk_is_told_and_what_was_recorded_stays(run, monkeypatch):
    run.append_history(epoch(0, loss=1.0))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(TrackingError, match=r"history\.jsonl cannot be written: No space left"):
        run.append_history(epoch(1, loss=0.5))
    monkeypatch.undo()
    run.append_history(epoch(2, loss=0.25))
    assert run.history()[0] == epoch(0, loss=1.0)
    assert run.history()[-1] == epoch(2, loss=0.25)


def test_secrets_of_addresses_are_never_written(make_run):
    command = ["fdl", "--tracking-uri", "https://me:hunter2@host/x", "postgresql://h/db?password=hunter2&sslmode=on"]
    run = make_run(command=command, environment={"uri": "mysql+pymysql://me:hunter2@host"})
    run.finish("FAILED", reason="no answer from http://me:hunter2@host:5000/api")
    everything = "".join(path.read_text() for path in run.path.iterdir() if path.is_file())
    assert "hunter2" not in everything
    assert "host:5000/api" in run.reason
    assert "sslmode=on" in everything


def test_a_file_where_the_runs_belong_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(TrackingError, match=r"one cannot be made: .*/runs is a file; move it away"):
        RunFolder.create("one", spec="", facts={}, root=tmp_path)


def test_name_that_is_taken_or_climbs_out_is_refused(make_run, tmp_path):
    make_run("one")
    with pytest.raises(TrackingError, match="cannot be named 'one'"):
        make_run("one")
    for name in ("../two", "a/b", "..", ""):
        with pytest.raises(TrackingError, match="cannot be named"):
            make_run(name)
    assert [path.name for path in (tmp_path / "mlruns" / "runs").iterdir()] == ["one"]


def test_status_must_be_one_that_a_run_can_end_with(run):
    with pytest.raises(ValueError, match="FINISHED, FAILED, KILLED"):
        run.finish("DONE")


CHILD = """
import sys, time
from fdl_zoo.tracking.folder import RunFolder
folder = RunFolder.create("child", spec="", facts={}, root=sys.argv[1])
folder.append_history({"step": 1, "metrics": {"loss": 1.0}})
print("ready", flush=True)
time.sleep(60)
"""


def test_killed_owner_makes_the_run_interrupted_and_it_can_be_taken_over(tmp_path):
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as child:
        assert child.stdout.readline() == b"ready\n"
        folder = RunFolder.open(tmp_path / "runs" / "child")
        assert folder.status == "RUNNING"
        with pytest.raises(TrackingError, match=f"process {child.pid} on .* trains it"):
            folder.acquire()
        child.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while folder.status == "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.01)  # the child is not waited for yet: a zombie counts as dead
        assert folder.status == "INTERRUPTED"
        assert "died" in folder.reason
    assert folder.history()[0]["metrics"] == {"loss": 1.0}
    folder.acquire()
    assert folder.status == "RUNNING"
    assert RunFolder.open(folder.path).status == "RUNNING"
    folder.finish("KILLED", "interrupted by the user")
    assert (folder.status, folder.reason) == ("KILLED", "interrupted by the user")


def test_owner_on_another_host_is_judged_by_its_heartbeat(run):
    run.release()
    path = run.path / "owner.json"
    path.write_text(json.dumps({"host": "elsewhere", "pid": os.getpid(), "process_started": 0.0}))
    assert run.status == "RUNNING"
    before = time.time() - 2 * owner.STALE_SECONDS
    os.utime(path, (before, before))
    assert run.status == "INTERRUPTED"


def test_process_number_that_is_used_again_is_not_the_owner(run):
    run.release()
    stated = {"host": owner.platform.node(), "pid": os.getpid(), "process_started": 12.0}
    (run.path / "owner.json").write_text(json.dumps(stated))
    assert run.status == "INTERRUPTED"


def test_heartbeat_touches_the_owner_file_until_it_is_stopped(tmp_path):
    this = owner.Owner(tmp_path / "owner.json", beat=0.01)
    this.start()
    os.utime(this.path, (0, 0))
    deadline = time.monotonic() + 10
    while this.path.stat().st_mtime == 0 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert time.time() - this.path.stat().st_mtime < 60
    this.stop()
    assert not this.path.exists()


def test_lock_has_one_holder(tmp_path):
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert first.acquire(0)
    assert not second.acquire(0.05)
    assert first.held
    assert not second.held
    first.release()
    assert second.acquire(0)
    second.release()


@pytest.mark.parametrize(
    ("model", "data", "pattern"),
    [
        ("mlp", "digits", r"mlp-digits-[0-9a-f]{6}"),
        ("fdl-zoo-sample/net", "../etc", r"fdl_zoo_sample_net-etc-[0-9a-f]{6}"),
        ("...", "é", r"run-run-[0-9a-f]{6}"),
        ("x" * 100, "y", r"x{40}-y-[0-9a-f]{6}"),
    ],
)
def test_new_names_are_safe_and_unique(model, data, pattern):
    names = {new_name(model, data) for _ in range(50)}
    assert len(names) == 50
    assert all(re.fullmatch(pattern, name) for name in names)


def started(run, second):
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(record | {"started": float(second)}))
    return run


def test_listing_is_newest_first_and_passes_over_damage(make_run, tmp_path):
    runs = [started(make_run(name), second) for name, second in (("a", 2), ("b", 3), ("c", 1))]
    (tmp_path / "mlruns" / "runs" / "empty").mkdir()
    for name, content in (("torn", '{"name'), ("list", "[]"), ("lacks", '{"uid": 1}'), ("null", "null")):
        (tmp_path / "mlruns" / "runs" / name).mkdir()
        (tmp_path / "mlruns" / "runs" / name / "run.json").write_text(content)
    assert [folder.name for folder in list_folders(tmp_path / "mlruns")] == ["b", "a", "c"]
    assert list_folders(tmp_path / "nowhere") == []
    assert find_folder("last", tmp_path / "mlruns")[0].path == runs[1].path


def with_id(run, run_id):
    (run.path / "sent.json").write_text(json.dumps({"run_id": run_id}))


def test_reference_finds_name_id_and_prefix(make_run, tmp_path):
    root = tmp_path / "mlruns"
    one, two, three = (make_run(name) for name in ("mlp-digits-aa0001", "mlp-digits-bb0002", "mlp-digits-bb"))
    with_id(one, "f00d1111")
    with_id(two, "beef2222")
    found = {
        reference: find_folder(reference, root)[0].name
        for reference in ("mlp-digits-aa0001", "mlp-digits-a", "mlp-digits-bb", "mlp-digits-bb0", "f00d1111", "be")
    }
    assert list(found.values()) == [one.name, one.name, three.name, two.name, one.name, two.name]
    assert find_folder("f0@best", root)[1] == "best"
    assert find_folder("f0@last", root)[1] == find_folder("f0", root)[1] == "last"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mlp-digits-", r"not one run: 2 begin so \(.*mlp-digits-(1|2).*fdl runs"),
        ("mlp-digit-1", r"no run 'mlp-digit-1'; closest: mlp-digits-1, .* `fdl runs`"),
        ("zzz", r"no run 'zzz'; closest: mlp"),
        ("", r"no run ''"),
        ("mlp-digits-1@bset", r"best and last, so write mlp-digits-1@best"),
    ],
)
def test_reference_to_no_single_run_is_answered_in_one_sentence(make_run, tmp_path, reference, message):
    make_run("mlp-digits-1")
    make_run("mlp-digits-2")
    with pytest.raises(UnknownName, match=message) as caught:
        find_folder(reference, tmp_path / "mlruns")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_reference_in_an_empty_folder_says_how_to_make_a_run(tmp_path):
    with pytest.raises(UnknownName, match="holds no run yet; `fdl train MODEL` makes one"):
        find_folder("last", tmp_path)


@pytest.mark.parametrize(
    ("facts", "command"),
    [
        ({"command": "fdl train mlp"}, "fdl resume mlp-digits-000001"),
        ({"command": "fdl compare", "sweep": {"role": "child"}}, "fdl resume mlp-digits-000001"),
        ({"command": "fdl tune mlp --trials 9", "sweep": {"role": "parent"}}, "fdl tune mlp --trials 9"),
    ],
)
def test_what_was_interrupted_goes_on_by_a_command_that_works(make_run, facts, command, tmp_path, monkeypatch, capsys):
    from fdl_zoo.cli import run

    folder = make_run(**facts)
    (folder.path / "spec.yaml").write_text("model: {name: mlp}\ndata: {name: digits}\noptimizer: {name: adam}\n")
    folder.release()
    monkeypatch.chdir(tmp_path)
    assert run(["runs", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["status"], listed["resume"]) == ("INTERRUPTED", command)
