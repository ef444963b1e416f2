"""Fake plugins: distributions and folders written to disk, looked at by a fresh catalogue, and gone afterwards."""

import importlib
import sys
import textwrap
from pathlib import Path

import pytest

from fdl_zoo import catalogue

CARD_IMPORT = "from fdl_zoo.card import Card\n"
ENTRY = '''
"""{summary}"""

{top}
CARD = Card({card})


def build({signature}):
    """Builds it."""
    {body}
'''


class FakePlugins:
    """Writes plugins below a folder; what was written is removed from this process at the end of a test."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.monkeypatch = monkeypatch

    def module(self, path, summary="A plugin's entry.", card="", signature="", body="return 1", top=CARD_IMPORT):
        """An entry's file; `top` stands above the card."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = ENTRY.format(summary=summary, card=card, signature=signature, body=body, top=textwrap.dedent(top))
        path.write_text(text, "utf-8")
        return path

    def site(self, name="site"):
        """A folder on `sys.path`, as `site-packages` is."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        if str(folder) not in sys.path:
            self.monkeypatch.syspath_prepend(str(folder))
        return folder

    def distribution(self, name, points, version="1.0", site="site"):
        """Metadata of an installed distribution; `points` maps a kind to entry points."""
        info = self.site(site) / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [
            line
            for kind, names in points.items()
            for line in (f"[fdl_zoo.{kind}]", *(f"{key} = {target}" for key, target in names.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        return info

    def folder(self, child, points, name=None, version="1.0", parent="plugins"):
        """A child of a plugins folder with its `pyproject.toml`."""
        path = self.root / parent / child
        path.mkdir(parents=True)
        lines = ["[project]", f'name = "{name or child}"', f'version = "{version}"']
        for kind, names in points.items():
            lines += [f'[project.entry-points."fdl_zoo.{kind}"]', *(f'{key} = "{val}"' for key, val in names.items())]
        (path / "pyproject.toml").write_text("\n".join(lines) + "\n", "utf-8")
        return path

    def look(self, plugins="all", *folders):
        """The catalogue, looked at afresh."""
        self.monkeypatch.setenv("FDL_ZOO_PLUGINS", plugins)
        self.monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", ":".join(map(str, folders)))
        importlib.invalidate_caches()
        catalogue.refresh()
        return catalogue


def forget(root, modules, path):
    """Drop what was imported from below `root`, and what was registered by decorators."""
    sys.path[:] = path
    for name in sys.modules.keys() - modules:
        file = getattr(sys.modules[name], "__file__", None)
        places = [file] if file else list(getattr(sys.modules[name], "__path__", []))
        if any(Path(place).is_relative_to(root) for place in places):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """A writer of fake plugins."""
    modules, path = set(sys.modules), list(sys.path)
    registered = {kind: dict(each._registered) for kind, each in catalogue.REGISTRIES.items()}
    yield FakePlugins(tmp_path, monkeypatch)
    forget(tmp_path, modules, path)
    for kind, each in catalogue.REGISTRIES.items():
        each._registered = registered[kind]
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "none")
    monkeypatch.delenv("FDL_ZOO_PLUGINS_DIR", raising=False)
    catalogue.refresh()
