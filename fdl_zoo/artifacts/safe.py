"""Looks into a `.keras` file before Keras does: only known members of sound size, and only classes that are known.

Keras's safe mode refuses Lambda layers; the constructor of `TFSMLayer` runs a graph from anywhere (keras #23654), and
what else a crafted file may name is not worth finding out. So every class that the file names must be one of Keras's
own that builds a model, or one of ours or of a plugin, by the name that it is registered under.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from fdl_zoo.errors import InvalidData

MEMBERS = ("metadata.json", "config.json", "model.weights.h5", "fdl_zoo.json")
LARGEST_TEXT = 64 * 2**20  # bytes of config.json: that of VGG-16 has 20 thousand
LARGEST_RATIO = 100  # Keras packs members without compression, and text compresses to a tenth
_REFUSED = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__", "__typespec__"}
# Names of values, not of classes to be found and made.
_VALUES = {"__tensor__", "__numpy__", "__keras_tensor__", "__bytes__", "__ellipsis__", "__slice__"}
_MODELS = {"Functional", "Model", "Sequential"}  # what else is in keras.models reads files
_KERAS = re.compile(
    r"keras|keras\.(layers|optimizers(\.schedules)?|losses|metrics|initializers|regularizers|constraints|activations"
    r"|dtype_policies|quantizers|random|src\.ops\.\w+|src\.optimizers\.loss_scale_optimizer)"
)
_KERAS_MODELS = re.compile(r"keras|keras\.models|keras\.src\.models\.\w+")
_HINT = "--allow-unsafe loads it all the same: do so only if you trust whoever made it"


def inspect(path: Path) -> set[str]:
    """Refuses a file whose content is not that of a plain model.

    Args:
        path: A `.keras` file.

    Returns:
        The packages that its registered names begin with: `fdl_zoo`, or a plugin's distribution.

    Raises:
        InvalidData: What is wrong with the file, by its name.
    """
    if not path.is_file():
        raise InvalidData(f"The model {path} cannot be loaded: there is no such file.")
    if not zipfile.is_zipfile(path):
        what = "it is a pickle, which would run code" if is_pickle(path) else "it is damaged, or no .keras file"
        raise InvalidData(f"The model {path} cannot be loaded: {what}.")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            texts = [json.loads(archive.read(name)) for name in MEMBERS[:2]]
    except (KeyError, ValueError, OSError, RuntimeError, RecursionError, zipfile.BadZipFile) as error:
        cause = str(error).strip().partition("\n")[0].strip("'\"")
        raise InvalidData(f"The model {path} cannot be loaded: it is damaged ({cause}).") from error
    return {package for text in texts for named in _named(text) for package in _check_name(named, path)}


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    infos = archive.infolist()
    for info in infos:
        parts = PurePosixPath(info.filename).parts
        if ".." in parts or info.filename.startswith(("/", "\\")) or "\\" in info.filename or _is_link(info):
            raise InvalidData(f"The model {path} is refused: its member {info.filename!r} climbs out of the file.")
        if info.filename not in MEMBERS and parts[0] != "assets":
            raise InvalidData(f"The model {path} is refused: its member {info.filename!r} is none of a .keras file.")
        too_long = info.filename.endswith(".json") and info.file_size > LARGEST_TEXT
        if too_long or info.file_size > LARGEST_RATIO * max(info.compress_size, 2**12):
            raise InvalidData(
                f"The model {path} is refused: its member {info.filename!r} would unpack from {info.compress_size:,} to"
                f" {info.file_size:,} bytes."
            )
    names = [info.filename for info in infos]
    if len(set(names)) < len(names):
        raise InvalidData(f"The model {path} is refused: it has two members of one name.")


def _is_link(info: zipfile.ZipInfo) -> bool:
    return (info.external_attr >> 28) == 0o12


def is_pickle(path: Path) -> bool:
    """Whether a file begins as a pickle of protocol 2 or later does."""
    with path.open("rb") as file:
        start = file.read(2)
    return len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5


def _named(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping that names a class, at any depth; a deep file needs no deep recursion."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if "class_name" in each:
                yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _check_name(named: dict[str, Any], path: Path) -> list[str]:
    """The package of a registered name, or nothing for one of Keras's own classes.

    Raises:
        InvalidData: It is neither, or one that runs code.
    """
    class_name, module, registered = (named.get(key) for key in ("class_name", "module", "registered_name"))
    if isinstance(class_name, str) and class_name in _VALUES:
        return []
    shown = f"{module}.{class_name}" if module else str(class_name)
    if not isinstance(class_name, str) or {class_name, str(registered).rpartition(">")[2]} & _REFUSED:
        raise InvalidData(f"The model {path} is refused: it has {shown}, which may run any code; {_HINT}.")
    if class_name == "function" and module == "builtins":
        name = named.get("config")
        return [name.partition(">")[0]] if isinstance(name, str) and ">" in name else []
    if registered in (None, class_name) and _is_keras(class_name, module, named.get("config")):
        return []
    if isinstance(registered, str) and ">" in registered and registered.partition(">")[0]:
        return [registered.partition(">")[0]]
    raise InvalidData(
        f"The model {path} is refused: it names {shown}, which is no layer of Keras and no registered class; {_HINT}."
    )


def _is_keras(class_name: str, module: Any, config: Any) -> bool:
    """Whether this is a class, or a function for an activation say, that Keras itself builds models of."""
    name = config if class_name == "function" else class_name
    if not isinstance(module, str) or not isinstance(name, str) or not name.isidentifier():
        return False
    if _KERAS_MODELS.fullmatch(module) and name in _MODELS:
        return True
    return _KERAS.fullmatch(module) is not None and (module != "keras" or name[:1].isupper())


def inspect_package(folder: Path, ours: bool) -> None:
    """Refuses an MLflow model's folder that may run code when it is served.

    Args:
        folder: The folder.
        ours: Whether it comes from a run's folder or from our own store. A SavedModel from elsewhere is a program.

    Raises:
        InvalidData: What is wrong with it.
    """
    import yaml

    about = folder / "MLmodel"
    try:
        described = yaml.safe_load(about.read_text("utf-8"))
        flavors = described["flavors"]
        loaders = {flavor: values for flavor, values in flavors.items() if isinstance(values, dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise InvalidData(f"The model {folder} is refused: its MLmodel is missing or damaged.") from error
    loader = loaders.get("python_function", {}).get("loader_module")
    if loader != "mlflow.keras":
        raise InvalidData(
            f"The model {folder} is refused: it is loaded by {loader}, where fdl_zoo writes mlflow.keras; {_HINT}."
        )
    _check_places(folder, loaders)
    pickled = [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    if pickled:
        raise InvalidData(f"The model {folder} is refused: {pickled[0].name} is a pickle, which runs code; {_HINT}.")
    if not ours:
        raise InvalidData(
            f"The model {folder} is refused: it is from elsewhere, and a SavedModel is a program; {_HINT}."
        )


def _check_places(folder: Path, flavors: dict[str, Any]) -> None:
    """Every file of the package, and every path in its description, is inside it."""
    inside = folder.resolve()
    stated = [
        (key, value)
        for values in flavors.values()
        for key, value in values.items()
        if key in ("data", "code", "model_path", "saved_model_dir") and isinstance(value, str)
    ]
    for key, value in stated:
        if not (inside / value).resolve().is_relative_to(inside):
            raise InvalidData(f"The model {folder} is refused: its {key} {value!r} climbs out of the folder.")
    for path in inside.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise InvalidData(f"The model {folder} is refused: its file {path.name} is a link out of the folder.")
