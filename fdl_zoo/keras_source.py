"""What Keras itself offers by name, read from Keras's source without importing it."""

import ast
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from fdl_zoo.entry import Entry

_ABSTRACT = {"Optimizer", "OptimizerMap", "Callback", "CallbackList", "Loss", "Metric"}


def keras_entries(kind: str) -> list[Entry]:
    """Keras's own optimizers and callbacks as `keras/NAME`; of other kinds it has none."""
    if kind not in ("optimizers", "callbacks"):
        return []
    version = importlib.metadata.version("keras")
    return [
        Entry(kind, f"keras/{name}", f"keras.{kind}:{name}", "keras", version, "keras", path)
        for path in _files(kind)
        for name in _exported(path, f"keras.{kind}.")
    ]


@lru_cache
def keras_names(folder: str) -> tuple[str, ...]:
    """The names that `keras.losses.get` or `keras.metrics.get` makes something of: classes, functions and short forms.

    Classes that need arguments (`PrecisionAtRecall`) are left out: a name alone does not make them.

    Args:
        folder: `losses` or `metrics`.
    """
    init = ast.parse((_root() / folder / "__init__.py").read_bytes())
    listed = next(each.value for each in init.body if isinstance(each, ast.Assign) and isinstance(each.value, ast.Set))
    names = [each.id for each in listed.elts if isinstance(each, ast.Name)]
    short = [
        key.value
        for node in ast.walk(init)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    ]
    needy = _ABSTRACT.union(*map(_needing_arguments, _files(folder)))
    chosen = [name for name in names if name not in needy] + short
    return tuple(dict.fromkeys(form for name in chosen for form in (_snake(name), name)))


def _needing_arguments(path: Path) -> set[str]:
    """The classes of a file whose constructors have arguments without default."""
    return {
        node.name
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, ast.FunctionDef)
        and each.name == "__init__"
        and len(each.args.args) - 1 > len(each.args.defaults)
    }


def _snake(name: str) -> str:
    """Keras's own spelling in lower case: `MeanSquaredError` is `mean_squared_error`, `F1Score` is `f1_score`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _root() -> Path:
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("Keras is not installed: pip install keras")
    return Path(spec.submodule_search_locations[0]) / "src"


def _files(folder: str) -> list[Path]:
    paths = sorted((_root() / folder).glob("*.py"))
    return [path for path in paths if path.stem != "__init__" and not path.stem.endswith("_test")]


def _exported(path: Path, prefix: str) -> Iterator[str]:
    text = path.read_text("utf-8")
    if prefix not in text:
        return
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name not in _ABSTRACT and _is_exported(node, prefix + node.name):
            yield node.name


def _is_exported(node: ast.ClassDef, name: str) -> bool:
    marks = [each for mark in node.decorator_list for each in ast.walk(mark) if isinstance(each, ast.Constant)]
    return any(mark.value == name for mark in marks)
