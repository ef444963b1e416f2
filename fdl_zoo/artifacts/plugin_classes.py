"""Registers the classes of plugins that a model file names, by importing entries of the installed distribution.

A module that the file names is never imported: Keras does not, and here only installed entry points are.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fdl_zoo import catalogue, saved
from fdl_zoo.entry import Entry, normalise
from fdl_zoo.errors import PluginError, ZooError
from fdl_zoo.registry import Registry


def register_plugin_classes(path: Path) -> None:
    """Make sure that every class which a `.keras` file names as a plugin's is registered with Keras.

    Args:
        path: The file; Keras is imported already.

    Raises:
        PluginError: A plugin is missing, of another major version, fails, or does not bring the class; the message says
            what to install.
        ValueError, KeyError, OSError, zipfile.BadZipFile: The file is damaged.
    """
    versions = {normalise(name): (name, version) for name, version in saved.stated_versions(path).items()}
    for package, names in saved.registered_names(path).items():
        distribution, version = versions.get(normalise(package), (package, ""))
        if package != "fdl_zoo" and (version or _unregistered(package, names)):
            _register(path, package, names, distribution, version)


def _register(path: Path, package: str, names: set[str], distribution: str, version: str) -> None:
    plugins = [each for each in catalogue.discovery.plugins if normalise(each.distribution) == normalise(package)]
    wanted = f"{distribution} {version}".strip()
    if not plugins:
        if not _unregistered(package, names):  # a notebook has the classes themselves
            return
        reason = str(catalogue.discovery.absent(distribution)).partition(" (")[0]
        remedy = "name it there" if "switched off" in reason else _install(distribution, version)
        raise PluginError(f"The model {path} needs the plugin {wanted}, which is {reason}: {remedy}.")
    installed = plugins[0].version
    if version and installed and _major(installed) != _major(version):
        raise PluginError(
            f"The model {path} was saved with the plugin {wanted}, and {installed} is installed, another major version:"
            f" {_install(distribution, version)}."
        )
    problem: ZooError | None = None
    for registry, entry in _entries(package, names):
        if not _unregistered(package, names):
            return
        try:
            registry.load(entry)
        except ZooError as error:
            problem = problem or error
    missing = _unregistered(package, names)
    if missing:
        cause = f": {problem}" if problem else "; `fdl plugins doctor` says more about it."
        raise PluginError(
            f"The model {path} needs {package}>{missing[0]}, which the plugin {distribution} {installed} does not"
            f" register{cause}"
        ) from problem


def _unregistered(package: str, names: Iterable[str]) -> list[str]:
    import keras

    known: dict[str, Any] = keras.saving.get_custom_objects()
    return sorted(name for name in names if f"{package}>{name}" not in known)


def _entries(package: str, names: set[str]) -> Iterator[tuple[Registry, Entry]]:
    """The installed entries of a distribution, those first whose names are asked for."""
    found = [
        (registry, entry)
        for registry in catalogue.REGISTRIES.values()
        for entry in registry.entries(origin=package)
        if entry.door in ("installed", "folder") and entry.variant_of is None
    ]
    asked = set(map(normalise, names))
    yield from sorted(found, key=lambda pair: normalise(pair[1].short_name) not in asked)


def _major(version: str) -> str:
    """The first number of a version, after an epoch if it has one."""
    found = re.match(r"(?:\d+!)?v?(\d+)", version)
    return found.group(1) if found else version


def _install(distribution: str, version: str) -> str:
    """What to type."""
    major = _major(version)
    if not version or not major.isdigit():
        return f"pip install {distribution}"
    return f'pip install "{distribution}>={version},<{int(major) + 1}"'
