"""All benchmarks, one after another, under a description of the machine: `make bench`."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run every script of this folder; the status is that of the worst."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("keras", "tensorflow", "mlflow"))
    print(f"{datetime.date.today()}, {platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, {versions}")
    here = Path(__file__).parent
    scripts = sorted(path for path in here.glob("[!_]*.py") if path.name not in ("run.py", "gpu.py"))
    worst = 0
    for script in scripts:
        print(f"\n== {script.stem}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, str(script)]).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
