"""Loads a model by run, file or registry, with Keras's safe mode on and the file looked into first."""

import zipfile
from pathlib import Path
from typing import Any

from fdl_zoo import backend
from fdl_zoo.artifacts.plugin_classes import register_plugin_classes
from fdl_zoo.artifacts.reference import locate
from fdl_zoo.artifacts.safe import inspect
from fdl_zoo.errors import InvalidData
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
        PluginError: It needs a plugin that is missing, of another major version, or failing.
    """
    return load_file(locate(reference, root).model_path, allow_unsafe=allow_unsafe)


def load_file(path: Path, *, allow_unsafe: bool = False) -> Any:
    """The model in a `.keras` file.

    Args:
        path: The file.
        allow_unsafe: Load what is refused otherwise.

    Raises:
        InvalidData: The file is missing, damaged, or holds what may run code.
        PluginError: It needs a plugin that is missing, of another major version, or failing.
    """
    if not allow_unsafe:
        inspect(path)
    keras = backend.load()
    try:
        register_plugin_classes(path)
        return keras.saving.load_model(path, safe_mode=not allow_unsafe)
    except (ValueError, TypeError, KeyError, OSError, ImportError, zipfile.BadZipFile) as error:
        cause = str(error).strip().partition("\n")[0]
        raise InvalidData(f"The model {path} cannot be loaded: {cause}") from error
