"""What the first line of `fdl train` stands on loads no heavy library, and one file alone knows MLflow."""

import ast
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
HEAVY = {"mlflow", "keras", "tensorflow", "numpy", "yaml", "psutil", "matplotlib", "sqlalchemy"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_light_modules_load_nothing_heavy():
    modules = "folder, recorder, sender, store, ui, cursor, names"
    code = f"import sys; from fdl_zoo.tracking import {modules}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    seen = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert seen.stdout.split() == []


def test_one_file_imports_mlflow():
    files = (REPOSITORY / "fdl_zoo").rglob("*.py")
    guilty = {path.name for path in files if any(name.split(".")[0] == "mlflow" for name in imported(path))}
    assert guilty == {"mlflow.py"}


def test_processes_of_ours_send_no_telemetry_and_load_no_pickles():
    code = "import os, fdl_zoo.tracking.mlflow; from mlflow.telemetry.utils import is_telemetry_disabled as off"
    code += "; print(off(), os.environ['MLFLOW_ALLOW_PICKLE_DESERIALIZATION'])"
    environment = {"PATH": "/usr/bin:/bin"}
    seen = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert seen.stdout.split() == ["True", "false"]
    assert seen.stderr == ""
