"""What a `.keras` file says of the plugins that it needs: written beside the model, read without Keras.

The file's configuration names each class of a plugin as `distribution>name`; the member `fdl_zoo.json` adds the
versions. Neither is trusted: what is imported for a file is what the installed distribution's own metadata name.
"""

import json
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fdl_zoo import catalogue
from fdl_zoo.entry import normalise

MEMBER = "fdl_zoo.json"
_CONFIG = "config.json"
_FORMAT = 1


def save(model: Any, path: Path) -> None:
    """Write a model as a `.keras` file, with `fdl_zoo.json` in it where it has classes of plugins.

    Args:
        model: A `keras.Model`.
        path: Where to; ends in `.keras`.
    """
    model.save(path)
    plugins = [
        {"distribution": plugin.distribution, "version": plugin.version}
        for plugin in {id(found): found for found in map(_plugin, registered_names(path)) if found}.values()
    ]
    if plugins:
        facts = {"format": _FORMAT, "fdl_zoo": version("fdl-zoo"), "plugins": plugins}
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(MEMBER, json.dumps(facts, indent=2))


def _plugin(package: str) -> Any:
    """The plugin of a package of registered names; None for ours, and for what a notebook registers."""
    if package == "fdl_zoo":
        return None
    known = catalogue.discovery.plugins
    return next((each for each in known if normalise(each.distribution) == normalise(package)), None)


def stated_versions(path: Path) -> dict[str, str]:
    """The plugins that a `.keras` file was saved with: version by distribution; empty where it states none.

    Raises:
        ValueError: The statement is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        if MEMBER not in archive.namelist():
            return {}
        facts = json.loads(archive.read(MEMBER))
    try:
        return {str(each["distribution"]): str(each["version"]) for each in facts["plugins"]}
    except (KeyError, TypeError) as error:
        raise ValueError(f"its {MEMBER} is damaged") from error


def registered_names(path: Path) -> dict[str, set[str]]:
    """The registered names in a `.keras` file's configuration: those of classes and functions, by their package.

    Raises:
        ValueError, KeyError, OSError, zipfile.BadZipFile: The file is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read(_CONFIG))
    found: dict[str, set[str]] = {}
    for text in _texts(config):
        package, separator, name = text.partition(">")
        if separator and package and name:
            found.setdefault(package, set()).add(name)
    return found


def _texts(config: Any) -> Iterator[str]:
    """Where Keras writes registered names: of classes, and of functions, at any depth."""
    waiting = [config]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            named = each.get("config") if each.get("class_name") == "function" else each.get("registered_name")
            if isinstance(named, str):
                yield named
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
