"""What must answer at once imports none of the heavy libraries: each command in a process of its own."""

import json
import subprocess
import sys

import pytest

HEAVY = {"tensorflow", "keras", "mlflow", "numpy", "sklearn", "matplotlib", "pandas", "scipy", "tensorflow_datasets"}
RUN = """
import json, sys
from fdl_zoo.cli import run
status = run(json.loads(sys.argv[1]))
print(json.dumps([status, sorted(set(json.loads(sys.argv[2])) & set(sys.modules))]))
"""


def in_a_process(code, *arguments, cwd):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd, timeout=120
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("list", 0),
        ("list models --json", 0),
        ("show mlp", 0),
        ("show adam", 0),
        ("--help", 0),
        ("train --help", 0),
        ("train mlp --dry-run", 0),
        ("train mlp --data digits --optimizer keras/AdamW --explain", 0),
        ("train mlp --init-from digits --freeze hidden_* --dry-run", 0),
        ("plugins", 0),
        ("runs", 0),
        ("train mpl", 2),
        ("train mlp --lr abc", 2),
        ("train mlp --set model.unitz=3", 2),
        ("train mlp --data dijits", 2),
        ("train mlp --init-from nothing", 2),
        ("train mlp --init-from nothing.keras", 2),
    ],
)
def test_a_command_that_does_not_train_loads_nothing_heavy(command, status, tmp_path):
    (returned, loaded), done = in_a_process(RUN, json.dumps(command.split()), json.dumps(sorted(HEAVY)), cwd=tmp_path)
    assert loaded == []
    assert returned == status, done.stderr
    assert list(tmp_path.iterdir()) == []
    if status == 2:
        assert len(done.stderr.strip().splitlines()) == 1
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "import fdl_zoo",
        "import fdl_zoo.catalogue as c; c.list_models(); c.describe('optimizers', 'adam')",
        "from fdl_zoo.resolution import resolve",
        "import fdl_zoo; fdl_zoo.Card, fdl_zoo.RunSpec, fdl_zoo.list_models, fdl_zoo.ZooError",
    ],
)
def test_importing_the_package_loads_nothing_heavy(statement, tmp_path):
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(set(json.loads(sys.argv[1])) & set(sys.modules))))"
    loaded, _ = in_a_process(code, json.dumps(sorted(HEAVY)), cwd=tmp_path)
    assert loaded == []
