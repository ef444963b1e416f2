"""A new plugin of each kind works unchanged: installed, listed, trained with, tested, and its suite counted."""

import pytest

from fdl_zoo.entry import KINDS
from tests.integration.plugins.environment import new_environment
from tests.integration.plugins.written import run_fdl, write_folder, write_module

NOUNS = [kind.removesuffix("s") for kind in KINDS]


@pytest.mark.slow
def test_all_four_kinds_install_list_train_and_pass(tmp_path):
    environment, folder = new_environment(tmp_path), tmp_path / "author"
    folder.mkdir()
    for noun in NOUNS:
        environment.run(f"fdl plugins new own-{noun} --kind {noun}", folder, check=0)
    installed = " ".join(f"-e own-{noun}" for noun in NOUNS)
    environment.run(f"pip install -q --no-build-isolation --no-deps {installed}", folder, check=0)
    listed = environment.json("fdl plugins --json", folder)
    assert {each["distribution"]: each["state"] for each in listed} == {f"own-{noun}": "ok" for noun in NOUNS}
    names = environment.run("fdl list --names", folder, check=0).stdout.splitlines()
    assert {f"own-{noun}/own_{noun}" for noun in NOUNS} <= set(names)
    chosen = "own_model --data own_dataset --optimizer own_optimizer --callback own_callback"
    run = environment.json(f"fdl train {chosen} --epochs 40 --json --no-tracking", folder)
    assert run["metrics"]["test_accuracy"] > 0.9
    history = (folder / run["folder"] / "history.jsonl").read_text()
    assert history.count('"weight_norm"') == 40
    tested = environment.run("python -m pytest -q --import-mode=importlib .", folder, check=0)
    assert "4 passed" in tested.stdout
    facts = environment.json("fdl plugins test own-dataset --json", folder)
    assert facts["passed"]
    assert facts["ran"] == len([each for each in facts["outcomes"] if each["status"] == "passed"]) >= 10


@pytest.mark.slow
def test_a_suite_that_fails_or_runs_nothing_has_status_1(tmp_path):
    for name, body in (("broken", "raise RuntimeError('no luck')"), ("asking", None)):
        module = write_folder(tmp_path, name, {f"{name}_set": f"{name}_set:build"}) / f"{name}_set.py"
        write_module(module, body=body) if body else write_module(module)
    asking = tmp_path / "asking" / "asking_set.py"
    asking.write_text(asking.read_text().replace("examples: int = 30", "examples: int"))
    broken = run_fdl(tmp_path, "plugins", "test", "broken", check=1, FDL_ZOO_PLUGINS_DIR=tmp_path)
    assert "failed: broken/broken_set breaks 'has_three_splits'" in broken.stdout
    assert "RuntimeError: no luck" in broken.stdout
    nothing = run_fdl(tmp_path, "plugins", "test", "asking", check=1, FDL_ZOO_PLUGINS_DIR=tmp_path)
    assert "asking: no checks of kit 1 ran (0 passed," in nothing.stdout
    assert "A suite that tests nothing proves nothing." in nothing.stdout
