"""`fdl` as a process of its own: status, streams, what is loaded, what is written, and a reader that goes away."""

import json
import os
import subprocess
import sys

import pytest

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
