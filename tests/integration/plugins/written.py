"""Plugins written into folders and site-packages, and `fdl` as a process."""

import os
import subprocess
import sys

FDL = [sys.executable, "-c", "from fdl_zoo.cli import main; main()"]
MODULE = '''"""{summary}"""

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Split

{top}
{card}


def build(*, examples: int = 30):
    """Builds it.

    Args:
        examples: How many.
    """
    {body}
'''
WELL = """import numpy as np
    x, y = np.arange(float(examples))[:, None].astype("float32"), np.arange(examples) % 2
    parts = [Split(x[start::3], y[start::3]) for start in range(3)]
    return Dataset(*parts, (1,), 1, "binary")"""


def write_module(path, summary="A plugin's set.", top="", body=WELL, card="CARD = Card()"):
    """An entry's file; what is given goes wrong in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MODULE.format(summary=summary, top=top, body=body, card=card))
    return path


def write_folder(root, name, entries, folder=None, kind="datasets", version="1.0"):
    """A child of a plugins' folder, without its modules."""
    child = root / (folder or name)
    child.mkdir(parents=True)
    lines = "".join(f'{entry} = "{target}"\n' for entry, target in entries.items())
    (child / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "{version}"\n[project.entry-points."fdl_zoo.{kind}"]\n{lines}'
    )
    return child


def write_installed(site, name, entries, version="1.0", kind="datasets"):
    """Metadata as pip leaves them, without the modules."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = "".join(f"{entry} = {target}\n" for entry, target in entries.items())
    (info / "entry_points.txt").write_text(f"[fdl_zoo.{kind}]\n{lines}")


def run(command, folder, *, check=None, timeout=500, **variables):
    """A process as a user starts it: no settings of this one, what is given on top."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("FDL_ZOO")}
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env={**plain, "CUDA_VISIBLE_DEVICES": "", **{name: str(value) for name, value in variables.items()}},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert check is None or done.returncode == check, (done.returncode, done.stdout, done.stderr)
    return done


def run_fdl(folder, *arguments, **options):
    return run([*FDL, *arguments], folder, **options)
