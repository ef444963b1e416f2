"""Loads a model by run, file or registry, with Keras's safe mode on and the file looked into first."""

import zipfile
from pathlib import Path
from typing import Any

from fdl_zoo import backend, catalogue
from fdl_zoo.artifacts.reference import locate
from fdl_zoo.artifacts.safe import inspect
from fdl_zoo.errors import InvalidData, PluginError, ZooError
from fdl_zoo.tracking.folder import ROOT


def load_model(reference: str | Path, *, root: Path = ROOT, allow_unsafe: bool = False) -> Any:
    """The `keras.Model` of a run, a file or a registered model: logits, optimizer included.

    Args:
        reference: A run's name, its id, a unique prefix of either, or `last`, with `@best` for its best checkpoint;
            the path of a `.keras` file, of a run's folder or of an MLflow model's folder; or an address of MLflow's:
            `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID`.
        root: The folder that holds `runs/`.
        allow_unsafe: Load what is refused otherwise. Code of the file may run.

    Raises:
        UnknownName: There is no such run.
        InvalidData: The file is missing, damaged, or holds what may run code.
        PluginError: It has classes of a plugin that is not installed or does not load.
    """
    return load_file(locate(reference, root).model_path, allow_unsafe=allow_unsafe)


def load_file(path: Path, *, allow_unsafe: bool = False) -> Any:
    """The model in a `.keras` file.

    Args:
        path: The file.
        allow_unsafe: Load what is refused otherwise.

    Raises:
        InvalidData: The file is missing, damaged, or holds what may run code.
        PluginError: It has classes of a plugin that is not installed or does not load.
    """
    packages = set() if allow_unsafe else inspect(path)
    keras = backend.load()
    for package in sorted(packages):
        _register(package, path)
    try:
        return keras.saving.load_model(path, safe_mode=not allow_unsafe)
    except (ValueError, TypeError, KeyError, OSError, ImportError, zipfile.BadZipFile) as error:
        cause = str(error).strip().partition("\n")[0]
        raise InvalidData(f"The model {path} cannot be loaded: {cause}") from error


def _register(package: str, path: Path) -> None:
    """Import what registers the classes of a package: ours are registered, a plugin's entries do it when they load.

    Raises:
        PluginError: There is no such plugin, or it does not load.
    """
    import keras

    registered = keras.saving.get_custom_objects()
    entries = [
        (registry, entry)
        for registry in catalogue.REGISTRIES.values()
        for entry in registry.entries()
        if entry.distribution == package and entry.door in ("installed", "folder")
    ]
    problem: ZooError | None = None
    for registry, entry in entries:
        try:
            registry.load(entry)
        except ZooError as error:
            problem = error
    if problem and not any(name.startswith(f"{package}>") for name in keras.saving.get_custom_objects()):
        raise PluginError(f"The model {path} needs the plugin {package}, which does not load: {problem}") from problem
    if not entries and not any(name.startswith(f"{package}>") for name in registered):
        raise PluginError(
            f"The model {path} needs the plugin {package}, which is not installed here: pip install {package}."
        )
