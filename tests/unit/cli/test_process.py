"""`fdl` as a process of its own: status, streams, what is loaded, what is written, and a reader that goes away."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fdl_zoo
from fdl_zoo import catalogue
from fdl_zoo.cli import run

FDL = [sys.executable, "-c", "from fdl_zoo.cli import main; main()"]


def fdl(folder, *arguments, **options):
    return subprocess.run([*FDL, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, **options)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("train", "mpl"), "did you mean mlp?"),
        (("train", "mlp", "--epochs", "0"), "epochs cannot be 0"),
        (("trian",), "did you mean train?"),
    ],
)
def test_a_refusal_is_status_2_one_line_and_nothing_written(tmp_path, arguments, part):
    done = fdl(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert part in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("train", "mpl"), ("list",), ("show", "mlp"), ("train", "mlp", "--dry-run")])
def test_nothing_heavy_is_loaded(tmp_path, arguments):
    code = (
        "import sys\nfrom fdl_zoo.cli import run\nrun(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'keras', 'mlflow', 'sklearn', 'scipy', 'matplotlib', 'numpy'}\n"
        "print('heavy:', *heavy & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "heavy:"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", ["list", "list optimizers --origin keras --json", "train mlp --explain", "--help"]
)
def test_a_reader_that_goes_away_ends_it_quietly(tmp_path, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*FDL, *arguments.split()], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_output_in_a_pipe_has_no_colours_and_whole_lines(tmp_path):
    done = fdl(tmp_path, "list", "models")
    assert "\x1b" not in done.stdout
    assert "…" not in done.stdout


def test_a_training_whose_reader_goes_away_goes_on_to_its_end(tmp_path):
    command = [*FDL, "train", "logistic_regression", "--epochs", "3", "--no-tracking"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("logistic_regression on digits")
        process.stdout.close()
        complaint = process.stderr.read()
    assert process.returncode == 0
    assert "Error" not in complaint
    (run,) = json.loads(fdl(tmp_path, "runs", "--json").stdout)
    assert run["status"] == "FINISHED"


@pytest.fixture
def damaged(tmp_path):
    """A folder of installed distributions, one of which has an entry point without `=`."""
    info = tmp_path / "site" / "bad_net-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-net\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fdl_zoo.models]\nmy_net my_net:build\n")
    return info


def test_a_damaged_distribution_stops_only_what_needs_libraries_that_fail_at_it(tmp_path, damaged):
    folder = tmp_path / "working"
    folder.mkdir()
    known = os.pathsep.join([str(damaged.parent), str(Path(fdl_zoo.__file__).parents[1])])
    environment = os.environ | {"PYTHONPATH": known, "FDL_ZOO_PLUGINS": "all"}
    for arguments in (["runs"], ["train", "mlp", "--dry-run"]):
        done = fdl(folder, *arguments, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
    done = fdl(folder, "train", "mlp", env=environment)
    assert done.returncode == 2
    assert f"cannot be read: bad_net ({damaged}/entry_points.txt: " in done.stderr
    assert "train with --no-tracking" in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("reader", ["importlib.metadata", "importlib_metadata"])  # the latter then reads for both
def test_where_a_library_fails_at_a_damaged_distribution_that_is_named(reader, damaged, monkeypatch, capsys):
    importlib.import_module(reader)
    monkeypatch.syspath_prepend(str(damaged.parent))
    monkeypatch.setattr(catalogue.models, "entries", lambda *args, **filters: importlib.metadata.entry_points())
    assert run(["list", "models"]) == 2
    assert f"fdl: The entry points of an installed distribution cannot be read: bad_net ({damaged}" in (
        capsys.readouterr().err
    )
    with pytest.raises(TypeError):
        run(["list", "models", "--verbose"])
