"""The sample plugins: their own tests, by folder and installed; they need only what any plugin may use."""

import ast
import json
import re
import shutil
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import fdl_zoo
from tests.integration.plugins.environment import new_environment
from tests.integration.plugins.written import run

REPOSITORY = Path(__file__).parents[3]
SAMPLES = {path.parent.name: path.parent for path in sorted((REPOSITORY / "plugins").glob("*/pyproject.toml"))}
OPEN_TO_PLUGINS = {"card", "errors", "data", "testing"}


def results(folder, environment, *more):
    """What came of each test below `folder`, by plugin: (name, outcome) pairs of a pytest process of its own."""
    report = folder / "report.xml"
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *more]
    done = environment(command)
    assert report.exists(), done.stdout + done.stderr
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = next((each.tag for each in case), "passed")
        plugin = next((name for name in SAMPLES if name in case.get("classname").split(".")), "")
        found.setdefault(plugin, []).append((case.get("name"), outcome))
    return found, done


@pytest.fixture(scope="module")
def by_folder(tmp_path_factory):
    """All samples tested in one process that is told of their folder, where they lie."""
    folder = tmp_path_factory.mktemp("samples")

    def environment(command):
        return run(
            [sys.executable, *command, REPOSITORY / "plugins"],
            folder,
            FDL_ZOO_PLUGINS_DIR=REPOSITORY / "plugins",
            PYTHONDONTWRITEBYTECODE=1,
        )

    return results(folder, environment)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_its_own_tests_pass_by_folder(name, by_folder):
    found, done = by_folder
    outcomes = [outcome for _, outcome in found.get(name, [])]
    assert set(outcomes) <= {"passed", "skipped"}, done.stdout
    assert outcomes.count("passed") >= 9


@pytest.mark.parametrize("path", SAMPLES.values(), ids=SAMPLES)
def test_it_uses_only_what_is_open_to_plugins(path):
    imported = [
        (node.module, [alias.name for alias in node.names])
        for file in path.rglob("*.py")
        if "tests" not in file.relative_to(path).parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fdl_zoo")
    ]
    assert imported
    assert {module.partition(".")[2] for module, _ in imported} <= OPEN_TO_PLUGINS


def test_nothing_in_the_package_mentions_them():
    names = {tomllib.loads((path / "pyproject.toml").read_text())["project"]["name"] for path in SAMPLES.values()}
    assert len(names) == 4
    spelt = sorted({*names, *(name.replace("-", "_") for name in names), *SAMPLES})
    words = re.compile(rf"\b({'|'.join(spelt)})\b")
    files = [file for file in Path(fdl_zoo.__file__).parent.rglob("*") if file.suffix in (".py", ".txt")]
    assert {file.suffix for file in files} == {".py", ".txt"}
    for file in files:
        assert not words.search(file.read_text()), file


@pytest.mark.parametrize("path", SAMPLES.values(), ids=SAMPLES)
def test_its_readme_names_its_options_with_their_defaults(path, monkeypatch, catalogue_afresh):
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "all")
    monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", str(path))
    catalogue_afresh.refresh()
    (plugin,) = catalogue_afresh.discovery.plugins
    (entry,) = plugin.entries
    readme = (path / "README.md").read_text()
    rows = {}
    for names, defaults in re.findall(r"^\| (`.*?) \| (.*?) \|", readme, re.MULTILINE):
        words = defaults.split(", ") if "`, `" in names else [defaults]
        rows |= dict(zip(re.findall(r"`(\w+)`", names), words, strict=True))
    own = {option.name: option.default for option in entry.options.values() if option.name in rows}
    assert {name: str(value).strip("()").replace(" ", "") for name, value in own.items()} == rows
    assert len(own) >= 3


@pytest.mark.slow
def test_installed_they_pass_their_tests_and_train_together(tmp_path):
    environment = new_environment(tmp_path)
    for name, path in SAMPLES.items():  # a copy: pip builds in the folder
        shutil.copytree(path, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    folders = " ".join(f"./{name}" for name in SAMPLES)
    environment.run(f"pip install -q --no-build-isolation --no-deps {folders}", tmp_path, check=0)
    listed = environment.json("fdl plugins --json", tmp_path)
    assert [each["door"] for each in listed] == ["installed"] * len(SAMPLES)
    tests = tmp_path / "elsewhere"  # away from the modules, so that what is installed is tested
    tests.mkdir()
    for name in SAMPLES:
        (tmp_path / name / "tests").rename(tests / name)
    found, done = results(
        tmp_path,
        lambda command: environment.run(f"python {' '.join(map(str, command))} --import-mode=importlib {tests}", tests),
    )
    for name in SAMPLES:
        outcomes = [outcome for _, outcome in found[name]]
        assert set(outcomes) <= {"passed", "skipped"}, done.stdout
        assert outcomes.count("passed") >= 9
    train = (
        "fdl train maxout --optimizer lion --lr 0.001 --data spirals3d --callback confusion_movie --epochs 25 --json"
    )
    trained = environment.json(f"{train} --no-tracking", tmp_path)
    assert trained["metrics"]["test_accuracy"] > 0.95
    assert len(list(Path(tmp_path, trained["folder"], "artifacts").rglob("confusion_movie.gif"))) == 1
    assert (tmp_path / trained["model_path"]).exists()
    evaluated = environment.json("fdl evaluate last --json", tmp_path)  # another process finds their classes by name
    assert evaluated["metrics"]["test_accuracy"] == trained["metrics"]["test_accuracy"]


@pytest.mark.long
def test_the_reference_on_the_card_is_reached(tmp_path):
    command = [
        sys.executable,
        "-c",
        "from fdl_zoo.cli import main; main()",
        "train",
        "maxout",
        "--json",
        "--no-tracking",
    ]
    done = run(command, tmp_path, check=0, FDL_ZOO_PLUGINS_DIR=REPOSITORY / "plugins")
    assert json.loads(done.stdout)["metrics"]["test_accuracy"] >= 0.989 - 0.012
