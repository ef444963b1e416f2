"""The three doors through which entries come: our own folders, installed distributions, named folders.

Nothing is imported here. What is wrong with a plugin is returned as a `Failure`, never raised: a broken plugin must not
break a listing.
"""

import importlib.metadata
import importlib.util
import os
import sys
import threading
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from fdl_zoo.entry import KINDS, NAMING, Entry, Failure, normalise

GROUPS = {f"fdl_zoo.{kind}": kind for kind in KINDS}
_DAMAGE = (OSError, ValueError, TypeError, AttributeError, LookupError)  # whatever a damaged file brings


@dataclass
class Plugin:
    """One distribution that brings entries, as `fdl plugins` lists it.

    Args:
        distribution: Its name.
        version: Its version.
        door: `installed` or `folder`.
        location: Where it lies.
        entries: What it brings, over all kinds.
        failures: What is wrong with it.
        seconds: The time that reading its metadata took.
    """

    distribution: str
    version: str
    door: str
    location: str
    entries: list[Entry] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    def fail(self, phase: str, message: str, entry: str = "", kind: str = "") -> None:
        """Record what is wrong."""
        self.failures.append(Failure(self.distribution, self.version, entry, phase, message, kind))


class Discovery:
    """What the doors offer, looked at once.

    The environment restricts it: `FDL_ZOO_PLUGINS` is `all` (the default), `none`, or distributions by name;
    `FDL_ZOO_PLUGINS_DIR` names folders of plugins. The current directory is never looked at by itself: loading a
    plugin is running its code.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._plugins: list[Plugin] | None = None

    def refresh(self) -> None:
        """Forget, so that the next question looks again."""
        with self._lock:
            self._plugins = None
            _search_locations.cache_clear()

    @property
    def plugins(self) -> list[Plugin]:
        """The plugins of the second and third door."""
        with self._lock:
            if self._plugins is None:
                allowed = _allowed()
                self._plugins = [
                    plugin
                    for plugin in (*_installed(), *_folders())
                    if allowed is None or normalise(plugin.distribution) in allowed
                ]
            return self._plugins

    def __call__(self, kind: str) -> tuple[list[Entry], list[Failure]]:
        """Entries and failures of one kind, through all doors."""
        entries = list(_built_in(kind))
        failures: list[Failure] = []
        for plugin in self.plugins:
            entries += [entry for entry in plugin.entries if entry.kind == kind]
            failures += [failure for failure in plugin.failures if failure.kind in (kind, "")]
        return entries, failures

    def absent(self, distribution: str) -> str | None:
        """Why a distribution offers nothing: not installed, or switched off; None where it is looked at."""
        if any(normalise(plugin.distribution) == normalise(distribution) for plugin in self.plugins):
            return None
        try:
            importlib.metadata.distribution(distribution)
        except importlib.metadata.PackageNotFoundError:
            return f"not installed (pip install {distribution})"
        except ValueError:
            return "no distribution's name"
        allowed = _allowed()
        if allowed is not None and normalise(distribution) not in allowed:
            return f"switched off by FDL_ZOO_PLUGINS={os.environ['FDL_ZOO_PLUGINS']}"
        return "installed, but has no entries for fdl_zoo"


def _allowed() -> set[str] | None:
    """The normalised distributions that are looked at; None for all."""
    words = {normalise(word) for word in os.environ.get("FDL_ZOO_PLUGINS", "all").split(",") if word.strip()}
    if "all" in words:
        return None
    return words - {"none"}


def _built_in(kind: str) -> Iterator[Entry]:
    """Door one: the folder listing is the catalogue."""
    for path in sorted((Path(__file__).parent / kind).glob("[!_]*.py")):
        yield Entry(kind, path.stem, f"fdl_zoo.{kind}.{path.stem}:build", path=path)


def _installed() -> Iterator[Plugin]:
    """Door two: installed distributions with entry points in our groups. Of one present twice each copy is reported.

    The empty entry of `sys.path`, which a notebook and `python -c` have, is the current directory and left out.
    """
    for distribution in importlib.metadata.distributions(path=[each for each in sys.path if each]):
        plugin = _installed_plugin(distribution)
        if plugin is not None:
            yield plugin


def _installed_plugin(distribution: importlib.metadata.Distribution) -> Plugin | None:
    """The plugin that a distribution is; None where it has nothing for us, which most of them do not."""
    started = time.perf_counter()
    folder = Path(str(getattr(distribution, "_path", "")))  # a damaged copy may not know its name
    plugin = Plugin(folder.name.partition("-")[0], "", "installed", str(distribution.locate_file("")))
    try:
        text = distribution.read_text("entry_points.txt") or ""
        if "[fdl_zoo." not in text:  # their metadata need not be parsed
            return None
        plugin.distribution = _named(distribution.name)
        plugin.version = _version(distribution)
        for point in distribution.entry_points:
            if point.group in GROUPS:
                _add_entry(plugin, GROUPS[point.group], point.name, point.value)
    except _DAMAGE as error:
        plugin.fail("metadata", f"{folder.name} cannot be read: {error}.")
    plugin.seconds = time.perf_counter() - started
    return plugin


def unreadable() -> list[str]:
    """What is said of each installed distribution, a plugin or not, at which libraries that look for theirs fail.

    Python reads the entry points of all distributions at once, so that one of them stops MLflow, pydantic and others.
    """
    found = []
    for distribution in importlib.metadata.distributions():
        try:
            len(distribution.entry_points)
        except _DAMAGE as error:
            folder = Path(str(getattr(distribution, "_path", "")))
            found.append(f"{folder.name.partition('-')[0]} ({folder / 'entry_points.txt'}: {error})")
    return found


def _version(distribution: importlib.metadata.Distribution) -> str:
    """Its version; empty where the metadata have none."""
    try:
        return distribution.version or ""
    except KeyError:  # so says the backport, which answers once any library has imported it
        return ""


def _named(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or "/" in name:
        raise ValueError(f"the distribution's name cannot be {name!r}")
    return name


def _folders() -> Iterator[Plugin]:
    """Door three: the children of the named folders that have a `pyproject.toml` with our tables."""
    for folder in filter(None, os.environ.get("FDL_ZOO_PLUGINS_DIR", "").split(os.pathsep)):
        root = Path(folder).resolve()
        children = sorted(root.glob("*/pyproject.toml")) or sorted(root.glob("pyproject.toml"))
        if not children:
            missing = Plugin(folder, "", "folder", str(root))
            missing.fail(
                "metadata", f"the folder {folder!r} has no child with a pyproject.toml: name the folder of plugins."
            )
            yield missing
        for pyproject in children:
            yield _folder_plugin(pyproject)


def _folder_plugin(pyproject: Path) -> Plugin:
    started = time.perf_counter()
    folder = pyproject.parent
    plugin = Plugin(folder.name, "", "folder", str(folder))
    try:
        project = tomllib.loads(pyproject.read_text("utf-8")).get("project", {})
        plugin.distribution, plugin.version = _named(project.get("name", folder.name)), str(project.get("version", ""))
        tables = project.get("entry-points", {})
        for group, kind in GROUPS.items():
            for name, target in tables.get(group, {}).items():
                _add_entry(plugin, kind, name, target, folder)
    except (OSError, ValueError, AttributeError) as error:  # not UTF-8, not TOML, or not the tables that we expect
        plugin.fail("metadata", f"{pyproject.name} cannot be read: {error}.")
    plugin.seconds = time.perf_counter() - started
    return plugin


def _add_entry(plugin: Plugin, kind: str, name: str, target: str, folder: Path | None = None) -> None:
    module, _, attribute = (part.strip() for part in str(target).partition("[")[0].partition(":"))
    full_name = f"{plugin.distribution}/{name}"
    if not all(word.isidentifier() for word in normalise(name).split(".")):
        plugin.fail("metadata", f"an entry cannot be named {name!r}: {NAMING}.", full_name, kind)
        return
    if not all(word.isidentifier() for word in (*module.split("."), attribute)):
        plugin.fail("metadata", f'{name} = {target!r} is no entry: write name = "module:build".', full_name, kind)
        return
    roots = [folder, folder / "src"] if folder else _search_locations(module.partition(".")[0])
    path = next((found for root in roots for found in _candidates(root, module, bool(folder)) if found.is_file()), None)
    search = _search_folder(path, module) if folder and path else None
    plugin.entries.append(
        Entry(kind, full_name, f"{module}:{attribute}", plugin.distribution, plugin.version, plugin.door, path, search)
    )


def _candidates(root: Path, module: str, whole: bool) -> Iterable[Path]:
    """Where a module's file may lie below a root; `whole` where the root does not stand for the top-level package."""
    parts = module.split(".") if whole else module.split(".")[1:]
    base = root.joinpath(*parts)
    return (base.with_name(base.name + ".py"), base / "__init__.py") if parts else (root, root / "__init__.py")


def _search_folder(path: Path, module: str) -> Path:
    """The folder that makes `module` importable from its file."""
    depth = len(module.split(".")) + (path.name == "__init__.py")
    return path.parents[depth - 1]


@lru_cache(maxsize=4096)
def _search_locations(top: str) -> tuple[Path, ...]:
    """Where a top-level package or module lies. `find_spec` of a top-level name imports nothing."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return ()
    if spec is None:
        return ()
    if spec.submodule_search_locations is not None:
        return tuple(map(Path, spec.submodule_search_locations))
    return (Path(spec.origin),) if spec.origin else ()
