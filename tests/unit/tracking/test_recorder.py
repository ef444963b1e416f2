"""The callbacks' recorder: everything goes into the run's folder, whole, and nowhere else."""

import matplotlib
import pytest

from fdl_zoo.errors import InvalidOption
from fdl_zoo.tracking import NullTracker
from fdl_zoo.tracking.recorder import Recorder

matplotlib.use("agg")


@pytest.fixture
def notified():
    return []


@pytest.fixture
def recorder(run, notified):
    return Recorder(run, lambda: notified.append(1))


def recorded(run):
    return sorted(path.relative_to(run.artifacts).as_posix() for path in run.artifacts.rglob("*") if path.is_file())


def test_metrics_join_the_history(run, recorder, notified):
    recorder.log_metrics({"largest_eigenvalue": 3.5}, step=7)
    assert run.history()[0].items() >= {"step": 7, "metrics": {"largest_eigenvalue": 3.5}}.items()
    assert notified == [1]


def test_files_and_folders_are_copied(run, recorder, notified, tmp_path):
    source = tmp_path / "logs"
    (source / "train").mkdir(parents=True)
    (source / "train" / "events.1").write_text("a")
    (source / "notes.txt").write_text("b")
    recorder.log_artifact(source / "notes.txt")
    recorder.log_artifact(source, "tensorboard")
    assert recorded(run) == ["notes.txt", "tensorboard/logs/notes.txt", "tensorboard/logs/train/events.1"]
    (source / "notes.txt").write_text("changed")
    assert (run.artifacts / "notes.txt").read_text() == "b"
    assert notified == [1, 1]


def test_figure_is_saved_in_the_format_of_its_name(run, recorder):
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    recorder.log_figure(figure, "figures/loss.png")
    recorder.log_figure(figure, "loss.svg")
    assert recorded(run) == ["figures/loss.png", "loss.svg"]
    assert (run.artifacts / "figures" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (run.artifacts / "loss.svg").read_bytes()


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png", "a/../../outside.png"])
def test_nothing_is_written_outside_the_artifacts(run, recorder, tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidOption, match="stays below"):
        recorder.log_artifact(tmp_path / "file", name)
    assert recorded(run) == []


def test_missing_file_is_told(recorder, tmp_path):
    with pytest.raises(InvalidOption, match=r"nowhere.* cannot be recorded"):
        recorder.log_artifact(tmp_path / "nowhere")


def test_null_tracker_takes_what_a_recorder_takes(run, recorder):
    public = {name for name in dir(recorder) if not name.startswith("_")}
    assert public <= set(dir(NullTracker()))
    assert NullTracker().begin(run) == run.name
