"""How long commands take as whole processes, in interleaved pairs: `python tests/benchmarks/startup.py`.

Wanted: a listing, `show`, `--help` and a refused name at most 1/15 of importing Keras; a listing with 1,000 plugin
entries at most 4 times one with none; `train` for an epoch at most 2.0 times importing Keras and MLflow, 1.4 times
without tracking. The first line of a training within 0.3 s.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

FDL = [sys.executable, "-c", "from fdl_zoo.cli import main; main()"]
IMPORT_KERAS = [sys.executable, "-c", "import keras"]
IMPORT_BOTH = [sys.executable, "-c", "import keras, mlflow"]
TRAIN = [*FDL, "train", "logistic_regression", "--epochs", "1"]

ENTRY = '''"""Entry {number} of a made-up plugin."""

from fdl_zoo.card import Card

CARD = Card(task="classification", chapter=3, input_shape=(28, 28, 1), num_outputs=10, num_params=784*10 + 10)


def build(input_shape, num_outputs, *, units: int = 10, activation: str = "relu"):
    """A model.

    Args:
        units: Neurons.
        activation: Nonlinearity.
    """
    raise SystemExit("a listing must not get here")
'''


def seconds(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """The wall time of a process."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def compare(
    one: list[str], other: list[str], rounds: int, folder: Path, plugins: Path | None = None
) -> tuple[float, ...]:
    """Median times of both, and the median of the ratios pair by pair; the first pair warms up and does not count."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("FDL_ZOO")}
    special = plain | ({"PYTHONPATH": str(plugins)} if plugins else {})
    pairs = [(seconds(one, folder, special), seconds(other, folder, plain)) for _ in range(rounds + 1)][1:]
    ones, others = zip(*pairs, strict=True)
    return statistics.median(ones), statistics.median(others), statistics.median(a / b for a, b in pairs)


def make_plugins(folder: Path, distributions: int = 100, entries: int = 10) -> Path:
    """Installed distributions as pip leaves them, of so many entries each."""
    for distribution in range(distributions):
        name = f"made_up_{distribution}"
        package, metadata = folder / name, folder / f"{name}-1.0.dist-info"
        package.mkdir(parents=True)
        metadata.mkdir()
        (package / "__init__.py").write_text("raise SystemExit('a listing must not get here')\n")
        for number in range(entries):
            (package / f"entry_{number}.py").write_text(ENTRY.format(number=number))
        lines = [f"made_{distribution}_{number} = {name}.entry_{number}:build" for number in range(entries)]
        (metadata / "entry_points.txt").write_text("[fdl_zoo.models]\n" + "\n".join(lines) + "\n")
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    return folder


def first_line(folder: Path) -> float:
    """Seconds until the first line of a training stands there."""
    started = time.perf_counter()
    with subprocess.Popen(
        [*TRAIN, "--no-tracking"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        run.stdout.readline()
        taken = time.perf_counter() - started
        run.stdout.read()
    return taken


def parts(folder: Path) -> str:
    """What each part of a tracked training costs, as the run measured it."""
    code = (
        "import time; t=[time.perf_counter()]; mark=lambda: t.append(time.perf_counter())\n"
        "from fdl_zoo.layers import Layer; from fdl_zoo.resolution import resolve\n"
        "resolve([Layer('given', {'model': 'logistic_regression'})]); mark()\n"
        "from fdl_zoo import backend; backend.load(); mark()\n"
        "import sklearn.datasets; mark()\n"
        "import mlflow.keras, fdl_zoo.tracking.mlflow; mark()\n"
        "import fdl_zoo as fdl; from fdl_zoo.training.progress import Silent\n"
        "fdl.train('logistic_regression', epochs=1, progress=Silent(), settings=['tracking.enabled=false']); mark()\n"
        "fdl.train('logistic_regression', epochs=1, progress=Silent()); mark()\n"
        "names=['resolve','keras+tensorflow','scikit-learn','mlflow','train, no tracking','train, tracked']\n"
        "print(', '.join(f'{n} {b-a:.2f} s' for n,a,b in zip(names,t,t[1:])))"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Measure and print."""
    table = Table("case", "seconds", "against", "seconds", "ratio", "wanted", title="Start-up, whole processes")

    def row(
        case: str, one: list[str], against: str, other: list[str], rounds: int, wanted: float, **options: object
    ) -> None:
        ours, theirs, ratio = compare(one, other, rounds, folder, **options)
        table.add_row(case, f"{ours:.3f}", against, f"{theirs:.3f}", f"{ratio:.3f}", f"<= {wanted:.3f}")

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "work"
        folder.mkdir()
        for words in ("list", "show mlp", "--help", "train mpl"):
            row(f"fdl {words}", [*FDL, *words.split()], "import keras", IMPORT_KERAS, 5, 1 / 15)
        plugins = make_plugins(Path(temporary) / "plugins")
        listing = [*FDL, "list"]
        row("fdl list, 1,000 plugin entries", listing, "none", listing, 7, 4, plugins=plugins)
        seconds(TRAIN, folder, dict(os.environ))  # makes the store
        row("fdl train, 1 epoch", TRAIN, "import keras, mlflow", IMPORT_BOTH, 5, 2.0)
        row("the same, --no-tracking", [*TRAIN, "--no-tracking"], "import keras, mlflow", IMPORT_BOTH, 5, 1.4)
        first = statistics.median(first_line(folder) for _ in range(3))
        table.caption = f"first line of a training after {first:.2f} s (wanted: 0.3)\n{parts(folder)}"
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
