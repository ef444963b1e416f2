"""What is distributed: the wheel, built from the source distribution, works by itself in a fresh environment."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import fdl_zoo
from tests.integration.plugins.environment import REPOSITORY, empty_environment, see

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPOSITORY]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.suffix for path in sorted(folder.iterdir())] == [".whl", ".gz"]
    return next(folder.glob("*.whl"))


def test_it_holds_every_file_of_the_package_and_nothing_else(wheel):
    package = Path(fdl_zoo.__file__).parent
    files = {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}
    expected = {name for name in files if "__pycache__" not in name}
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == expected
    assert any(name.endswith(".weights.h5") for name in found)
    assert any("templates/" in name for name in found)


def test_installed_it_trains_outside_the_repository(wheel, tmp_path):
    environment, folder = empty_environment(tmp_path), tmp_path / "elsewhere"
    folder.mkdir()
    environment.run(f"pip install -q --no-deps --no-index {wheel}", folder, check=0)
    see(environment)  # after it, so that pip found nothing installed
    where = environment.run('python -c "import fdl_zoo; print(fdl_zoo.__file__)"', folder, check=0).stdout.strip()
    assert Path(where) == environment.site / "fdl_zoo" / "__init__.py"
    run = environment.json("fdl train mlp --epochs 1 --no-tracking --json", folder)
    assert run["status"] == "FINISHED"
    assert (folder / run["model_path"]).exists()
    code = "import fdl_zoo as fdl; print(fdl.create_model('mlp', (8, 8, 1), 10, weights='digits').count_params())"
    assert int(environment.run(f'python -c "{code}"', folder, check=0).stdout.split()[-1]) > 0
    environment.run("fdl plugins new own-net --kind model", folder, check=0)
    assert "def build(" in (folder / "own-net" / "own_net.py").read_text()
