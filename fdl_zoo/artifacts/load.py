"""Loads a model by run or file, with Keras's safe mode on."""

import zipfile
from pathlib import Path
from typing import Any

from fdl_zoo import backend
from fdl_zoo.artifacts.plugin_classes import register_plugin_classes
from fdl_zoo.errors import InvalidData
from fdl_zoo.tracking.folder import ROOT, find_folder


def load_model(reference: str | Path, *, root: Path = ROOT) -> Any:
    """The `keras.Model` of a run or a `.keras` file: logits, optimizer included.

    Args:
        reference: A run's name, its id, a unique prefix of either, or `last`, with `@best` for its best checkpoint;
            or the path of a `.keras` file.
        root: The folder that holds `runs/`.

    Raises:
        UnknownName: There is no such run.
        InvalidData: The file is missing, damaged, or holds what Keras's safe mode refuses.
        PluginError: It needs a plugin that is missing, of another major version, or failing.
    """
    path = Path(reference)
    if path.suffix == ".keras":
        return load_file(path)
    folder, checkpoint = find_folder(str(reference), root)
    return load_file(folder.checkpoints / f"{checkpoint}.keras")


def load_file(path: Path) -> Any:
    """The model in a `.keras` file.

    Raises:
        InvalidData: The file is missing, damaged, or holds what Keras's safe mode refuses.
        PluginError: It needs a plugin that is missing, of another major version, or failing.
    """
    if not path.is_file():
        raise InvalidData(f"The model {path} cannot be loaded: there is no such file.")
    if not zipfile.is_zipfile(path):
        raise InvalidData(f"The model {path} cannot be loaded: it is damaged, or no .keras file.")
    keras = backend.load()
    try:
        register_plugin_classes(path)
        return keras.saving.load_model(path, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        cause = str(error).strip().partition("\n")[0]
        raise InvalidData(f"The model {path} cannot be loaded: {cause}") from error
