"""Fresh environments, as a new user has them."""

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.plugins.written import run

REPOSITORY = Path(__file__).parents[3]


@dataclass
class Environment:
    """A fresh virtual environment that sees the heavy packages, and this repository as an editable install does.

    Args:
        folder: Where it lies.
    """

    folder: Path

    @property
    def bin(self):
        return self.folder / "bin"

    def run(self, command, folder, **options):
        """A shell command as a user types it once the environment is active."""
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        return run(["bash", "-c", command], folder, PATH=path, VIRTUAL_ENV=self.folder, PYTHONPATH="", **options)

    def json(self, command, folder):
        return json.loads(self.run(command, folder, check=0).stdout)


@pytest.fixture(scope="session")
def new_environment(tmp_path_factory):
    """Makes fresh environments."""

    def make():
        folder = tmp_path_factory.mktemp("environment") / "venv"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        environment = Environment(folder)
        code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        site = Path(environment.run(f'python -c "{code}"', folder, check=0).stdout.strip())
        (site / "fdl_zoo_and_heavy_packages.pth").write_text(f"{REPOSITORY}\n{sysconfig.get_paths()['purelib']}\n")
        script = environment.bin / "fdl"
        script.write_text(f"#!{environment.bin}/python\nfrom fdl_zoo.cli import main\n\nmain()\n")
        script.chmod(0o755)
        return environment

    return make
