"""What every example shares: its arguments, the header that it opens with, and how it ends."""

import argparse
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HEADER = re.compile(r"^(CHAPTER|CLAIM|EXPECTED)\s+(.*?)(?=\n(?:CHAPTER|CLAIM|EXPECTED)\s|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Result:
    """What an example found.

    Args:
        measured: The figures, in a sentence.
        holds: Whether the claim holds, decided from them.
    """

    measured: str
    holds: bool


def header(docstring: str) -> dict[str, str]:
    """CHAPTER (section headings of the notes, separated by semicolons), CLAIM and EXPECTED of an example."""
    return {name: " ".join(text.split()) for name, text in HEADER.findall(docstring.strip())}


def experiment(measure: Callable[[bool, Path], Result]) -> None:
    """Run an example: read the arguments, measure, print, and write `result.json` beside the figures.

    Args:
        measure: Takes whether to be quick (less data or fewer seeds: the verdict may then be another) and the folder
            that figures and tables go to.
    """
    docstring = measure.__globals__["__doc__"]
    name = Path(measure.__code__.co_filename).stem
    parser = argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller, for tests: the verdict may be another")
    parser.add_argument("-o", "--output", type=Path, default=Path("book") / name, help="folder for figures and tables")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    for title, text in header(docstring).items():
        print(f"{title.lower():9} {text}")
    from fdl_zoo import backend

    backend.load()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that many runs in one process are traced anew
    began = time.perf_counter()
    result = measure(given.quick, given.output)
    verdict = "holds" if result.holds else "does not hold here"
    facts = {"measured": result.measured, "verdict": verdict, "quick": given.quick}
    facts["seconds"] = round(time.perf_counter() - began)
    (given.output / "result.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(f"measured  {result.measured}\nfiles     {given.output}\n{verdict}")


def train(folder: Path, model: Any, **values: Any) -> Any:
    """Train a run below `folder`, silently and without a tracking store: an example makes many."""
    import fdl_zoo as fdl
    from fdl_zoo.training.progress import Silent

    values["settings"] = ["tracking.enabled=false", *values.get("settings", ())]
    return fdl.train(model, root=folder / "mlruns", progress=Silent(), **values)


def command(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start `fdl` with these arguments in `folder`, in a process of its own, as a shell does."""
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-c", "from fdl_zoo.cli import main; main()", *arguments], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def output_of(process: subprocess.Popen) -> str:
    """What a command printed, once it has ended well."""
    printed, _ = process.communicate(timeout=300)
    if process.returncode:
        raise SystemExit(f"{' '.join(process.args[3:])} ended with {process.returncode}:\n{printed}")
    return printed


def spread(values: Iterable[float], digits: int = 3) -> str:
    """Mean and standard deviation (n - 1) over seeds; the value alone where there is one."""
    values = list(values)
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"
