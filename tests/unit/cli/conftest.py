"""`fdl` in this process, in an empty folder in which nothing may appear; folders of plugins to name to it."""

import sys
from dataclasses import dataclass

import pytest

from fdl_zoo import catalogue
from fdl_zoo.cli import run

PLUGIN = '''
"""A {name} of a plugin."""
from fdl_zoo.card import Card

CARD = Card({card})

raise RuntimeError("a listing has imported {name}")


def build(input_shape, num_outputs, *, units: int = 3): ...
'''


@dataclass
class Answer:
    """What a command answered."""

    status: int
    out: str
    err: str

    def refused(self):
        """The one line on standard error of what the user can put right."""
        assert self.status == 2, (self.status, self.out, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        assert self.err.startswith("fdl: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("fdl: ").strip()


@pytest.fixture
def fdl(tmp_path, monkeypatch, capsys):
    """Runs a command and returns its answer."""
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "all")
    monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", "")  # `--plugins-dir` writes here
    catalogue.refresh()

    def command(*arguments, columns=None):
        if columns:  # standard output is a terminal of so many columns
            monkeypatch.setenv("COLUMNS", str(columns))
            monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        status = run(arguments)
        return Answer(status, *capsys.readouterr())

    yield command
    assert list(folder.iterdir()) == []
    monkeypatch.undo()
    catalogue.refresh()


@pytest.fixture
def plugins_folder(tmp_path):
    """A folder with one good plugin, and functions to write more."""
    root = tmp_path / "plugins"

    def write(name, card="chapter=5, num_params=7", text=None):
        child = root / name
        child.mkdir(parents=True)
        (child / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1.2"\n'
            f'[project.entry-points."fdl_zoo.models"]\n{name}_net = "{name}_code:build"\n'
        )
        (child / f"{name}_code.py").write_text(PLUGIN.format(name=name, card=card) if text is None else text)
        return root

    write("good")
    write.root = root
    return write
