"""The shell completes commands, options and the names of entries."""

import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from fdl_zoo import catalogue
from fdl_zoo.cli import cli


@pytest.fixture
def completed(fdl):
    def names(*arguments, incomplete=""):
        shell = ShellComplete(cli, {}, "fdl", "_FDL_COMPLETE")
        return [item.value for item in shell.get_completions(list(arguments), incomplete)]

    return names


@pytest.mark.parametrize(
    ("arguments", "incomplete", "kind"),
    [
        (("train",), "", "models"),
        (("train",), "m", "models"),
        (("train", "mlp", "--data"), "", "datasets"),
        (("train", "mlp", "--data"), "di", "datasets"),
        (("train", "--optimizer"), "ad", "optimizers"),
        (("train", "mlp", "--callback"), "", "callbacks"),
        (("--json", "train", "mlp", "--callback"), "early", "callbacks"),
    ],
)
def test_names_are_those_of_the_kind(completed, arguments, incomplete, kind):
    names = [name for name in catalogue.registry(kind).names() if name.startswith(incomplete)]
    assert names
    assert completed(*arguments, incomplete=incomplete) == names


@pytest.mark.parametrize(
    ("incomplete", "name"), [("ML", "mlp"), ("logistic-r", "logistic_regression"), ("keras/Ada", "keras/AdamW")]
)
def test_spelling_and_keras(completed, incomplete, name):
    assert name in completed("show", incomplete=incomplete)


def test_commands_and_options(completed):
    assert completed(incomplete="tr") == ["train"]
    assert "--epochs" in completed("train", incomplete="--ep")
    assert completed("list", incomplete="mod") == ["models"]


def test_a_plugins_names_complete_when_its_folder_is_named(completed, plugins_folder):
    assert "good/good_net" in completed("--plugins-dir", str(plugins_folder.root), "train", incomplete="good")


def test_the_shell_asks_a_process():
    environment = {**os.environ, "_FDL_COMPLETE": "bash_complete", "COMP_WORDS": "fdl train ml", "COMP_CWORD": "2"}
    command = [sys.executable, "-c", "from fdl_zoo.cli import main; main()"]
    asked = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert asked.stdout.splitlines() == ["plain,mlp"]
    assert asked.stderr == ""
