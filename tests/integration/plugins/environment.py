"""Fresh virtual environments, as a new user has them; what is heavy is lent to them by a `.pth` file."""

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


@dataclass
class Environment:
    """A fresh virtual environment, used as in a shell in which it is active.

    Args:
        folder: Where it lies.
    """

    folder: Path

    @property
    def bin(self):
        return self.folder / "bin"

    @property
    def site(self):
        """Where packages are installed to."""
        code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        return Path(self.run(f'python -c "{code}"', self.folder, check=0).stdout.strip())

    @property
    def variables(self):
        """The variables of a shell in which it is active."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("FDL_ZOO", "PYTHON"))}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        return {**plain, "PATH": path, "VIRTUAL_ENV": str(self.folder), "CUDA_VISIBLE_DEVICES": ""}

    def run(self, command, folder, check=None):
        """A shell command as a user types it once the environment is active."""
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=self.variables, capture_output=True, text=True, timeout=500
        )
        assert check is None or done.returncode == check, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, command, folder):
        return json.loads(self.run(command, folder, check=0).stdout)


def new_environment(root):
    """Makes one below a folder."""
    environment = empty_environment(root)
    see(environment, REPOSITORY)
    script = environment.bin / "fdl"
    script.write_text(f"#!{environment.bin}/python\nfrom fdl_zoo.cli import main\n\nmain()\n")
    script.chmod(0o755)
    return environment


def empty_environment(root):
    """Makes one that sees nothing yet."""
    folder = root / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return Environment(folder)


def see(environment, *folders):
    """Let it import from these folders and, after them, the heavy packages of the environment of the tests."""
    lines = [*map(str, folders), sysconfig.get_paths()["purelib"]]
    (environment.site / "heavy_packages.pth").write_text("\n".join(lines) + "\n")
