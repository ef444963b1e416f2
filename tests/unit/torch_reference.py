"""Runs a program in a Python that has PyTorch 2.13.0, and gives back its arrays; skips where there is none.

`FDL_ZOO_TORCH_PYTHON` names that Python; it need not be this one, for two such libraries rarely share one.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

VERSION = "2.13.0"


def interpreter() -> str:
    """A Python that has torch, or skip."""
    named = os.environ.get("FDL_ZOO_TORCH_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("torch"):
        return sys.executable
    pytest.skip(f"torch is not installed here; FDL_ZOO_TORCH_PYTHON may name a Python that has torch {VERSION}")


def run(program: str, given: dict, folder: Path) -> dict[str, np.ndarray]:
    """What a program makes of some arrays: it reads them from its first argument and writes its own to the second."""
    python = interpreter()
    np.savez(folder / "in.npz", **given)
    subprocess.run([python, "-c", program, folder / "in.npz", folder / "out.npz"], check=True, timeout=300)
    results = dict(np.load(folder / "out.npz"))
    assert str(results["version"]).startswith(VERSION), f"the settings were checked with torch {VERSION}"
    return results
