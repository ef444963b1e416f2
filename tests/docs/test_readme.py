"""README is executed: its console blocks are commands with their output, its Python blocks run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import catalogue_tables

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
CONSOLE = [text for kind, text in BLOCKS if kind == "console"]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
TRAINS = re.compile(
    r"fdl train (?!mpl|.*--explain|.*=1\.5)|--layers|^python "
    r"|fdl (runs|rerun|evaluate|predict|export|register|surface|find-lr)\b"
)


def commands(block):
    """Pairs of a command and the output that README shows."""
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in re.split(r"^\$ ", block, flags=re.M)[1:]]


def cases():
    for block in CONSOLE:
        for command, shown in commands(block):
            yield pytest.param(command, shown, id=command, marks=[pytest.mark.slow] if TRAINS.search(command) else [])


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Runs a command as README's reader would, all in one folder."""
    folder = tmp_path_factory.mktemp("reader")
    tools = tmp_path_factory.mktemp("bin")
    for name, code in (("python", ""), ("fdl", "-c 'from fdl_zoo.cli import main; main()'")):
        script = tools / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {code} "$@"\n')
        script.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(README.parent)}

    def run(command):
        return subprocess.run(
            command, shell=True, cwd=folder, env=environment, timeout=300, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout  # fmt: skip

    return run


def agrees(shown, printed):
    """Whether the output is as shown, where `...` stands for anything and runs of spaces do not count."""
    squeeze = lambda text: re.sub(r" +", " ", text.strip())  # noqa: E731
    pattern = re.escape(squeeze(shown)).replace(re.escape("..."), ".*?")
    return re.fullmatch(pattern, squeeze(printed), re.DOTALL) is not None


@pytest.mark.parametrize(("command", "shown"), list(cases()))
def test_a_command_prints_what_readme_shows(command, shown, shell):
    printed = shell(command)
    assert agrees(shown, printed), printed


@pytest.mark.slow
@pytest.mark.parametrize("code", [block for block in PYTHON if "CARD" not in block])
def test_python_runs(code, shell, tmp_path):
    script = tmp_path / "cell.py"
    script.write_text(code)
    printed = shell(f"{sys.executable} {script} && echo finished")
    assert printed.endswith("finished\n"), printed


def test_the_model_of_one_file_keeps_the_contract(tmp_path):
    from fdl_zoo.source import read_entry

    (code,) = [block for block in PYTHON if "CARD" in block]
    path = tmp_path / "shallow.py"
    path.write_text(code)
    source = read_entry(path)
    assert source.problem == ""
    space = {}
    exec(compile(code, str(path), "exec"), space)
    assert space["build"](source.card.input_shape, 10).count_params() == source.card.num_params


def test_the_two_commands_are_targets_of_make():
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", README.read_text(), re.MULTILINE):
        assert f"\n{target}: " in makefile


def test_the_tables_are_those_of_the_catalogue():
    text = README.read_text()
    assert catalogue_tables.written(text) == text, "write them: python -m tests.docs.catalogue_tables --write"


def test_readme_is_short_enough_to_read():
    assert len(README.read_text().splitlines()) <= 300
