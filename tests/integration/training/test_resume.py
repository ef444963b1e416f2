"""A run that is killed and resumed ends as one that was not, bit for bit; runs are repeated and compared."""

import itertools
import json
import os
import shutil
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo import catalogue
from fdl_zoo.errors import InvalidData, InvalidOption, RunInUse
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.training.checkpoints import Checkpoints, State
from fdl_zoo.training.interruption import Terminated
from fdl_zoo.training.keeping import Keeping
from fdl_zoo.training.progress import Lines, Silent

pytestmark = pytest.mark.usefixtures("undrawn")

QUIET = {"progress": Silent(), "settings": ["tracking.enabled=false"]}

DROPOUT = {
    "model": {"name": "mlp", "units": (16,), "dropout": 0.4, "batch_norm": True},
    "callbacks": [{"name": "early_stopping", "patience": 3, "restore_best_weights": True}, "reduce_lr_on_plateau"],
    "epochs": 3,
    "batch_size": 100,  # the last batch of an epoch has 37
    "checkpoint": {"steps": 4},
    "block": 2,
    "jit": False,
}
SCHEDULE = {
    "model": "logistic_regression",
    "optimizer": "momentum",
    "callbacks": ["learning_rate_schedule"],
    "epochs": 3,
    "batch_size": 32,
}
SEARCH = {"model": {"name": "mlp", "units": (8,)}, "optimizer": "lbfgs", "epochs": 3, "steps_per_epoch": 7}
KERAS = {
    "model": {"name": "mlp", "units": (16,), "dropout": 0.4},
    "optimizer": "keras/AdamW",
    "callbacks": [{"name": "keras/EarlyStopping", "patience": 2, "restore_best_weights": True}],
    "epochs": 3,
    "block": 15,
}
CASES = {
    "dropout": DROPOUT,
    "schedule": SCHEDULE | {"checkpoint": {"steps": 10}, "block": 7},
    "search": SEARCH | {"checkpoint": {"steps": 2}, "block": 3},
    "keras": KERAS | {"checkpoint": {"steps": 5}, "jit": True},
    "sequence": {"model": {"name": "lstm", "units": 4}, "data": "digits_rows", "epochs": 2, "block": 10, "jit": False}
    | {"checkpoint": {"steps": 10}},
    "image": {"model": {"name": "convnet_bn", "filters": (2, 2), "units": 8}, "epochs": 2, "block": 20}
    | {"checkpoint": {"steps": 20}},
    "augmented": {"model": {"name": "mlp", "units": (8,)}, "epochs": 2, "block": 20, "jit": False}
    | {"data": {"name": "digits", "augment": ("shift", "brightness")}, "checkpoint": {"steps": 20}},
    "transfer": {"model": "mlp", "init_from": "digits", "freeze": ["hidden_1"], "epochs": 2, "block": 15, "jit": False}
    | {"checkpoint": {"steps": 30}},
}


class Copier(keras.callbacks.Callback):
    """Keeps a copy of the run's folder at each block's end: what `kill -9` at that moment would leave."""

    at_block_end = True

    def __init__(self, context):
        super().__init__()
        self.folder = context.folder

    def on_train_batch_begin(self, batch, logs=None):
        copies = self.folder.parent.parent.parent / "copies"
        if self.folder.parent.parent.name == "mlruns":
            target = copies / f"{len(list(copies.glob('*'))):03d}"
            shutil.copytree(self.folder, target / "runs" / self.folder.name)
            (target / "runs" / self.folder.name / "owner.json").unlink()


@pytest.fixture
def copier():
    catalogue.register_callback("copier")(lambda *, context=None: Copier(context))
    yield
    catalogue.callbacks._withdraw("copier", None)


def outcome(run):
    """All that must not depend on interruptions: weights, optimizer, and the history without times."""
    lines = [
        {name: line[name] for name in ("epoch", "step", "sha256") if name in line} for line in run.folder.history()
    ]
    metrics = [
        {name: value for name, value in line["metrics"].items() if "seconds" not in name and "system" not in name}
        for line in run.folder.history()
    ]
    variables = [np.asarray(each) for each in (*run.model.weights, *run.model.optimizer.variables)]
    tested = {name: value for name, value in run.metrics.items() if name != "seconds"}
    return lines, metrics, tested, variables


def assert_same(one, other):
    for expected, found in zip(outcome(one)[:3], outcome(other)[:3], strict=True):
        assert expected == found
    for expected, found in zip(outcome(one)[3], outcome(other)[3], strict=True):
        np.testing.assert_array_equal(expected, found)


def trained_with_copies(case, tmp_path):
    case = dict(case)
    callbacks = [*case.pop("callbacks", ()), "copier"]
    run = fdl.train(**{"data": "digits", **case}, callbacks=callbacks, root=tmp_path / "mlruns", **QUIET)
    return run, sorted((tmp_path / "copies").iterdir())


SLOW = ("keras", "sequence", "image", "augmented", "transfer")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in CASES])
def test_a_run_killed_within_an_epoch_ends_as_if_it_had_not_been(name, tmp_path, copier):
    run, copies = trained_with_copies(CASES[name], tmp_path)
    assert len(copies) >= 6
    chosen = np.random.default_rng(0).choice(len(copies), 2, replace=False)
    for copy in (copies[index] for index in chosen):
        resumed = fdl.resume("last", root=copy, progress=Silent())
        assert resumed.status == "FINISHED"
        assert_same(run, resumed)


def test_a_run_killed_in_its_first_steps_begins_anew(tmp_path, copier):
    run, copies = trained_with_copies(SCHEDULE, tmp_path)
    assert not list((copies[0] / "runs").glob("*/checkpoints/*"))
    assert_same(run, fdl.resume("last", root=copies[0], progress=Silent()))


@pytest.mark.parametrize(
    "damage", ["cut", *(pytest.param(name, marks=pytest.mark.slow) for name in ("empty", "overwritten"))]
)
def test_a_damaged_checkpoint_is_skipped_with_a_warning(damage, tmp_path, copier, capsys):
    run, copies = trained_with_copies(CASES["dropout"], tmp_path)
    (folder,) = (copies[-1] / "runs").iterdir()
    newest = sorted(folder.glob("checkpoints/state-*"))[-1]
    content = bytearray(newest.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = b"\xff" * 8
    newest.write_bytes({"cut": content[:middle], "overwritten": content, "empty": b""}[damage])
    resumed = fdl.resume("last", root=copies[-1], progress=Lines())
    assert f"The checkpoint {newest.name} is damaged" in capsys.readouterr().out
    assert_same(run, resumed)


@pytest.mark.slow
def test_two_replicas_are_resumed_bit_for_bit(two_replicas, tmp_path, copier):
    case = DROPOUT | {"devices": "cpu:0,cpu:1", "model": {"name": "mlp", "units": (8,), "dropout": 0.4}, "epochs": 2}
    run, copies = trained_with_copies(case, tmp_path)
    for copy in (copies[3], copies[-2]):
        assert_same(run, fdl.resume("last", root=copy, progress=Silent()))


def test_replicas_draw_different_masks_and_epochs_too(two_replicas):
    from fdl_zoo.training.seeds import set_seeds
    from fdl_zoo.training.strategy import replica_values

    with two_replicas.scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)])
    states = set()
    for epoch in (0, 1):
        set_seeds(model, 0, epoch)
        for generator in model.variables:
            states |= {tuple(value.tolist()) for value in replica_values(generator)}
    assert len(states) == 2 * 2 * 2


@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGTERM, Terminated), pytest.param(signal.SIGINT, KeyboardInterrupt, marks=pytest.mark.slow)],
)
def test_a_signal_saves_a_checkpoint_and_says_how_to_resume(number, error, tmp_path, copier, capsys):
    whole, _ = trained_with_copies(SCHEDULE | {"block": 7}, tmp_path / "whole")

    class Signal(keras.callbacks.Callback):
        at_block_end = True

        def on_train_batch_begin(self, batch, logs=None):
            if self.model.optimizer.iterations == 52 and not getattr(Signal, "sent", False):
                Signal.sent = True
                os.kill(os.getpid(), number)

    catalogue.register_callback("signal")(lambda: Signal())
    try:
        with pytest.raises(error):
            fdl.train(
                **{"data": "digits"} | SCHEDULE | {"callbacks": ["learning_rate_schedule", "signal"]}, block=7,
                root=tmp_path, progress=Lines(), settings=["tracking.enabled=false"],
            )  # fmt: skip
        killed = fdl.find_run("last", root=tmp_path)
        assert killed.status == "KILLED"
        assert f"fdl resume {killed.name}" in capsys.readouterr().out
        newest = Checkpoints(killed.folder.checkpoints).newest(pytest.fail)
        assert (newest.epoch, newest.step) == (1, 14)  # the block in which the signal came was finished
        assert int(killed.model.optimizer.iterations) == 59  # the model as it was then can be looked at
        resumed = fdl.resume(killed.name, root=tmp_path, progress=Silent())
    finally:
        catalogue.callbacks._withdraw("signal", None)
    np.testing.assert_array_equal(whole.model.get_weights()[0], resumed.model.get_weights()[0])
    assert resumed.folder.reason == ""


def test_a_full_disk_takes_no_training_with_it(tmp_path, monkeypatch, capsys):
    def full(self, state, names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoints, "write", full)
    run = fdl.train("logistic_regression", epochs=2, root=tmp_path, progress=Lines(), settings=QUIET["settings"])
    assert run.status == "FINISHED"
    said = "A checkpoint of epoch 2 cannot be written (No space left on device): training goes on."
    assert said in capsys.readouterr().out


def test_memory_that_runs_out_is_answered_with_a_batch_size(tmp_path, monkeypatch):
    import tensorflow as tf

    from fdl_zoo.training.engine import Engine

    def exhausted(self, iterator):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Engine, "train", exhausted)
    with pytest.raises(fdl.ZooError, match="ran out at batch_size 64: try --batch-size 32"):
        fdl.train("logistic_regression", batch_size=64, root=tmp_path, **QUIET)
    assert fdl.find_run("last", root=tmp_path).status == "FAILED"


def test_what_cannot_be_resumed_is_said(tmp_path):
    run = fdl.train("logistic_regression", epochs=1, root=tmp_path, **QUIET)
    with pytest.raises(InvalidOption, match=f"{run.name} cannot be resumed: it has finished"):
        fdl.resume(run.name, root=tmp_path, progress=Silent())
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(record | {"status": "KILLED"}))
    held = RunFolder.open(run.path)
    held.acquire()
    with pytest.raises(RunInUse, match="trains it; stop it first") as refused:
        fdl.resume(run.name, root=tmp_path, progress=Silent())
    assert refused.value.exit_status == 2
    held.release()


def test_data_that_have_changed_are_refused(tmp_path, copier):
    _, copies = trained_with_copies(SCHEDULE, tmp_path)
    (folder,) = (copies[-1] / "runs").iterdir()
    record = json.loads((folder / "run.json").read_text())
    record["facts"]["dataset"]["digest"] = "0" * 64
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(InvalidData, match="other data"):
        fdl.resume("last", root=copies[-1], progress=Silent())


def test_a_repeated_run_is_bit_equal_and_another_one_is_not(tmp_path):
    run = fdl.train(**{"data": "digits"} | DROPOUT, root=tmp_path, **QUIET)
    again = fdl.rerun(run.name, root=tmp_path, progress=Silent())
    assert again.difference.equal
    assert again.difference.epochs == 3
    assert not again.causes
    other = fdl.train(**{"data": "digits"} | DROPOUT | {"seed": 1}, root=tmp_path, **QUIET)
    found = fdl.diff(run.name, other, root=tmp_path)
    assert found.first_epoch == 1
    assert found.values == {"seed": (0, 1)}
    assert found.metrics["loss"] == (run.history["loss"][0], other.history["loss"][0])


def test_without_an_epoch_there_is_nothing_to_compare(tmp_path):
    run, other = (fdl.train("logistic_regression", epochs=1, root=tmp_path, **QUIET) for _ in range(2))
    (run.path / "history.jsonl").write_text("")
    found = fdl.diff(run.name, other, root=tmp_path)
    assert (found.epochs, found.first_epoch, found.equal) == (0, None, False)
    with pytest.raises(InvalidOption, match=f"{run.name} cannot be compared .* it recorded no epoch; `fdl resume"):
        fdl.rerun(run.name, root=tmp_path, progress=Silent())
    assert len(fdl.runs(root=tmp_path)) == 2


def test_checkpoints_within_an_epoch_come_by_the_clock_too(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(Checkpoints, "write", lambda self, state, names=(): written.append((state.epoch, state.step)))
    clock = SimpleNamespace(monotonic=map(float, itertools.count()).__next__)  # a second passes whenever it is read
    monkeypatch.setattr("fdl_zoo.training.keeping.time", clock)
    keeping_seconds = {"checkpoint": {"seconds": 5}, "epochs": 2, "block": 1, "batch_size": 100}
    fdl.train("logistic_regression", root=tmp_path, **keeping_seconds, **QUIET)
    within = [step for epoch, step in written if step]
    assert len(within) >= 2 * 2
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(within) if later > earlier)


@pytest.mark.slow
def test_a_run_that_comes_out_otherwise_names_the_epoch_and_what_differs(tmp_path):
    run = fdl.train(**{"data": "digits"} | DROPOUT, root=tmp_path, **QUIET)
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    lines[1]["sha256"] = "0" * 64
    (run.path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = json.loads((run.path / "run.json").read_text())
    record["facts"]["versions"]["tensorflow"] = "2.20.0"
    (run.path / "run.json").write_text(json.dumps(record))
    found = fdl.rerun(run.name, root=tmp_path, progress=Silent())
    assert found.difference.first_epoch == 2
    assert [cause.partition(":")[0] for cause in found.causes] == ["versions.tensorflow"]


def test_the_loss_of_every_so_manieth_step_is_recorded(tmp_path):
    run = fdl.train(
        "logistic_regression", epochs=2, batch_size=100, block=4, root=tmp_path, progress=Silent(),
        settings=["tracking.enabled=false", "tracking.log_every=5"],
    )  # fmt: skip
    steps = [line for line in run.folder.history() if "epoch" not in line]
    assert [line["step"] for line in steps] == [5, 10, 15, 20, 25, 30]
    every = fdl.train(
        "logistic_regression", epochs=2, batch_size=100, block=1, root=tmp_path, progress=Silent(),
        settings=["tracking.enabled=false", "tracking.log_every=1"],
    )  # fmt: skip
    single = {line["step"]: line["metrics"]["step_loss"] for line in every.folder.history() if "epoch" not in line}
    assert {line["step"]: line["metrics"]["step_loss"] for line in steps} == {
        step: single[step] for step in range(5, 31, 5)
    }
    assert every.history["epoch"] == [1, 2]
    assert "step_loss" not in every.history


@pytest.mark.parametrize("block", [1, 4])
def test_steps_that_accumulate_are_counted_once(block, tmp_path):
    run = fdl.train(
        "logistic_regression", epochs=2, batch_size=100, block=block, root=tmp_path, progress=Silent(),
        settings=["tracking.enabled=false", "tracking.log_every=2", "optimizer.gradient_accumulation_steps=3"],
    )  # fmt: skip
    steps = [line["step"] for line in run.folder.history() if "epoch" not in line]
    assert steps == [2, 4, 6, 8, 10]  # of 15 batches an epoch, three to an update


class Ends(keras.callbacks.Callback):
    """Ends a run, once, at a moment of the first epoch."""

    at_block_end = True
    done = False

    def __init__(self, moment):
        super().__init__()
        self.moment = moment

    def on_train_batch_end(self, batch, logs=None):
        if self.moment == "last block" and batch + 1 >= self.params["steps"] and not Ends.done:
            Ends.done = True
            os.kill(os.getpid(), signal.SIGTERM)

    def on_test_begin(self, logs=None):
        if self.moment == "stopped" and self.model.stop_training and not Ends.done:
            Ends.done = True
            raise RuntimeError("the machine is gone")


@pytest.mark.parametrize(
    ("moment", "case", "error"),
    [
        ("last block", DROPOUT | {"checkpoint": {"steps": 5}, "block": 5}, Terminated),
        pytest.param(
            "stopped",
            SEARCH | {"optimizer": {"name": "lbfgs", "max_evaluations": 5}, "block": 1},
            RuntimeError,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_epoch_that_was_cut_at_its_end_is_recorded_once(moment, case, error, tmp_path):
    catalogue.register_callback("ends")(lambda *, context=None: Ends(moment))
    case = {"data": "digits", **case, "callbacks": [*case.get("callbacks", ()), "ends"]}
    case["checkpoint"] = case.get("checkpoint", {"steps": 1})
    try:
        Ends.done = True
        whole = fdl.train(**case, root=tmp_path / "whole", **QUIET)
        Ends.done = False
        with pytest.raises(error):
            fdl.train(**case, root=tmp_path / "cut", **QUIET)
        assert_same(whole, fdl.resume("last", root=tmp_path / "cut", progress=Silent()))
    finally:
        catalogue.callbacks._withdraw("ends", None)


def test_keras_s_own_callbacks_go_on_with_what_they_keep_to_themselves(tmp_path, copier):
    case = DROPOUT | {"callbacks": ["keras/SwapEMAWeights"], "epochs": 2}
    case["optimizer"] = {"name": "keras/Adam", "use_ema": True}
    run, copies = trained_with_copies(case, tmp_path)
    for copy in (copies[5], copies[-1]):
        assert_same(run, fdl.resume("last", root=copy, progress=Silent()))


def test_a_run_whose_models_cannot_be_written_still_says_how_it_ended(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    from fdl_zoo.callbacks.checkpoint import Checkpoint

    monkeypatch.setattr(Checkpoint, "write_model", full)
    said, heard = [], Silent()
    heard.say = said.append
    with pytest.raises(OSError, match="No space left"):
        fdl.train(
            "mlp",
            epochs=1,
            root=tmp_path,
            progress=type("Said", (Silent,), {"say": lambda _, text: said.append(text)})(),
        )
    assert fdl.find_run("last", tmp_path).status == "FAILED"
    assert any("models of its checkpoints cannot be written (OSError: [Errno 28]" in each for each in said)


def test_states_are_kept_by_age_never_by_number(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for number in (8, 9):
        (tmp_path / f"state-{number:06d}-000000000.npz").write_bytes(b"damaged")
    (tmp_path / ".state-000009-000000000.npz.1a2b3c4d").write_bytes(b"torn")
    warned = []
    assert checkpoints.newest(warned.append) is None
    assert len(warned) == 2
    for epoch in (1, 2):
        checkpoints.write(State(epoch, 0, epoch))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        f"state-{epoch:06d}-000000000.npz" for epoch in (1, 2)
    ]


def test_weights_that_are_not_finite_replace_no_checkpoint(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    keeping = Keeping(Checkpoints(tmp_path), None, when=None, seed=0, signals=None, say=print)
    keeping.set_model(model)
    keeping._write(keeping._state(1, 0))
    model.set_weights([np.full((2, 1), np.nan), np.zeros(1)])
    keeping._write(keeping._state(2, 0))
    assert [path.name for path in tmp_path.iterdir()] == ["state-000001-000000000.npz"]


def test_a_rerun_on_a_device_that_is_absent_says_so_and_leaves_no_run(tmp_path):
    settings = ["tracking.enabled=false"]
    run = fdl.train("linear", data="diabetes", epochs=1, root=tmp_path, progress=Silent(), settings=settings)
    run.folder.update_facts(chosen=run.folder.facts["chosen"] | {"devices": ["GPU:9"]})
    with pytest.raises(InvalidOption, match=r"The device gpu:9 is not there: use .*cpu:0"):
        fdl.rerun(run.name, root=tmp_path, progress=Silent())
    assert [each.name for each in fdl.runs(root=tmp_path)] == [run.name]
