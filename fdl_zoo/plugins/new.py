"""Writes a new plugin: a package of two files and a test that works unchanged (DESIGN section 3)."""

import importlib.metadata
import importlib.util
import keyword
import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from string import Template

from fdl_zoo import catalogue
from fdl_zoo.entry import normalise
from fdl_zoo.errors import InvalidName
from fdl_zoo.registry import Registry

_RESERVED = ("notebook",)  # the origin of what a notebook registers


def new_plugin(name: str, kind: str, folder: str | Path = ".") -> list[Path]:
    """Write a plugin's package: `pyproject.toml`, a module with `CARD` and `build`, and a test of one call.

    Args:
        name: The distribution's name; the module and the entry have it with `_` for `-`.
        kind: `model`, `optimizer`, `callback` or `dataset`.
        folder: Where the package's folder goes, which has the distribution's name.

    Returns:
        The three files.

    Raises:
        InvalidName: The name is malformed or taken, or there is no such kind.
    """
    registry = catalogue.registry(kind)
    module = _module_name(name)
    _check_free(name, module, registry)
    target = Path(folder) / name
    if target.exists() or target.is_symlink():
        raise InvalidName(f"A plugin cannot be written to {target}: it exists already; choose another name.")
    values = {
        "distribution": name,
        "module": module,
        "kind": registry.kind,
        "noun": registry.noun,
        "article": "an" if registry.noun[0] in "aeiou" else "a",
        "class_name": "".join(word.capitalize() for word in module.split("_")),
        "title": " ".join(module.split("_")).capitalize(),
        "version": ".".join(importlib.metadata.version("fdl-zoo").split(".")[:2]),
    }
    templates = {
        "pyproject.toml": "pyproject.toml.txt",
        f"{module}.py": f"{registry.kind}.py.txt",
        f"test_{module}.py": "test.py.txt",
    }
    texts = {file: _filled(template, values) for file, template in templates.items()}
    _write_whole(target, texts)
    return [target / file for file in texts]


def _module_name(name: str) -> str:
    """The module of a distribution's name."""
    well_formed = isinstance(name, str) and re.fullmatch(r"[a-z](?:[a-z0-9_-]*[a-z0-9])?", name, re.IGNORECASE)
    module = re.sub("_+", "_", normalise(name)) if well_formed else ""
    if not module or len(name) > 60 or keyword.iskeyword(module) or keyword.issoftkeyword(module):
        raise InvalidName(
            f"A plugin cannot be named {name!r}: begin with a letter and go on with at most 60 letters, digits and -,"
            " for example my-net."
        )
    return module


def _check_free(name: str, module: str, registry: Registry) -> None:
    """Refuse names under which the plugin could not be imported, or not be found."""
    if module in _RESERVED or importlib.util.find_spec(module) is not None:
        raise InvalidName(f"A plugin cannot be named {name!r}: Python has a module {module!r} already; choose another.")
    for entry in registry.entries(origin="fdl_zoo"):
        if normalise(entry.name) == module:
            raise InvalidName(
                f"A plugin cannot be named {name!r}: there is a built-in {registry.noun} of this name; choose another."
            )


def _filled(template: str, values: dict[str, str]) -> str:
    text = resources.files(__package__).joinpath("templates", template).read_text("utf-8")
    return Template(text).substitute(values)


def _write_whole(target: Path, texts: dict[str, str]) -> None:
    """All files or none: they are written beside the folder, which is then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for file, text in texts.items():
            (unfinished / file).write_text(text, "utf-8")
        unfinished.chmod(0o755)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
