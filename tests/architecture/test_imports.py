"""Who may import whom: DESIGN's arrows as data, kept by reading syntax trees; imports inside functions count too."""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fdl_zoo

ROOT = Path(fdl_zoo.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Each room: the rooms that it may import, and what else besides the standard library.
ENTRY = "errors tasks card data availability"
ROOMS = {
    "errors": ("", ""),
    "tasks": ("errors", ""),
    "plain": ("", ""),
    "card": ("errors tasks", ""),
    "option": ("errors", ""),
    "literal": ("errors card", ""),
    "signature": ("errors literal option", ""),
    "source": ("errors card literal option signature", ""),
    "entry": ("errors card option source", ""),
    "registry": ("errors tasks card option entry", ""),
    "discovery": ("errors entry", ""),
    "keras_source": ("entry", ""),
    "saved": ("entry catalogue", ""),
    "weights": ("errors card entry", "h5py numpy"),
    "catalogue": ("errors card entry registry discovery keras_source weights", ""),
    "availability": ("errors", ""),
    "preparation": ("errors entry catalogue availability", ""),
    "data": ("errors", "numpy"),
    "data_checks": ("errors data", "numpy"),
    "reading": ("errors", "numpy PIL"),
    "spec": ("errors", "pydantic yaml"),
    "layers": ("errors card spec", "yaml"),
    "rules": ("errors tasks entry keras_source catalogue availability spec", "yaml"),
    "resolution": ("errors card option signature entry catalogue availability spec layers rules", "pydantic yaml"),
    "backend": ("errors", "keras tensorflow"),
    "models": (ENTRY, "keras tensorflow numpy"),
    "optimizers": (ENTRY, "keras tensorflow numpy"),
    "callbacks": (f"{ENTRY} analysis saved", "keras tensorflow numpy"),
    "datasets": (f"{ENTRY} data_checks reading", "keras tensorflow tensorflow_datasets sklearn numpy PIL"),
    "tracking": ("errors data saved spec", "numpy yaml psutil keras tensorflow"),
    "analysis": (
        "errors plain data reading tasks spec catalogue backend tracking",
        "numpy scipy matplotlib sklearn PIL keras tensorflow",
    ),
    "artifacts": (
        "errors tasks data reading spec catalogue saved registry entry layers resolution backend tracking analysis",
        "numpy keras tensorflow yaml PIL onnxruntime tf2onnx",
    ),
    "training": (
        "errors tasks card data data_checks catalogue entry weights spec layers rules resolution"
        " backend tracking artifacts analysis",
        "numpy keras tensorflow rich psutil yaml",
    ),
    "comparison": (
        "errors tasks data catalogue backend spec layers resolution tracking artifacts analysis training",
        "numpy scipy matplotlib yaml psutil optuna keras tensorflow",
    ),
    "plugins": ("errors entry registry discovery catalogue backend testing", ""),
    "testing": (
        "errors tasks card option signature entry catalogue weights data availability spec",
        "numpy keras tensorflow pytest",
    ),
}
ROOMS = {name: (inside.split(), outside.split()) for name, (inside, outside) in ROOMS.items()}
SHELL = "cli"  # imports any room; nobody imports it
ENTRIES = ("models", "optimizers", "callbacks", "datasets")

# What one file alone may do, and why. One that nobody needs any more fails.
EXCEPTIONS = {
    ("analysis/finished.py", "fdl_zoo.artifacts.load"): "a run's model is loaded in one place, as safely as anywhere",
    ("backend.py", "fdl_zoo.models"): "loading Keras registers our layers, so that files that name them load",
    ("backend.py", "fdl_zoo.optimizers"): "likewise our optimizers",
    ("backend.py", "fdl_zoo.training.losses"): "likewise our losses",
    ("__init__.py", "fdl_zoo.optimizers"): "where Keras is loaded already, importing fdl_zoo does the same",
    ("datasets/digits_rows.py", "fdl_zoo.datasets.digits"): "the same images in the same splits, row by row",
    ("tracking/mlflow.py", "mlflow"): "the one file that knows MLflow",
}
KNOW_STRATEGIES = ("training/strategy.py", "optimizers/_base.py")


def room(path):
    """`training/trainer.py` is in the room `training`, `card.py` is one itself; `__init__.py` is the hall."""
    parts = path.relative_to(ROOT).parts
    return parts[0].removesuffix(".py")


def imported(tree, package="fdl_zoo"):
    """Every module that a syntax tree imports, anywhere in it, with the names taken from a package's own modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write absolute imports"
            if node.module == package or (node.module or "").startswith(f"{package}."):
                yield from (_home(node.module, alias.name) for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (each.value for each in node.args if isinstance(each, ast.Constant))


def _home(module, name):
    """`from fdl_zoo import card` names a module; `from fdl_zoo.card import Card` does not."""
    folder = ROOT.joinpath(*module.split(".")[1:])
    return f"{module}.{name}" if (folder / f"{name}.py").exists() or (folder / name).is_dir() else module


def violations(name, source):
    """The imports of a file that the arrows forbid."""
    own = room(ROOT / name)
    inside, outside = ROOMS.get(own, ((), ()))
    return [module for module in imported(ast.parse(source)) if not _allowed(module, name, own, inside, outside)]


def _allowed(module, name, own, inside, outside):
    if (name, module) in EXCEPTIONS or (name, module.partition(".")[0]) in EXCEPTIONS:
        return True
    top, _, rest = module.partition(".")
    if top != "fdl_zoo":
        known = ("click", "rich", "tensorflow", "keras", "mlflow") if own == SHELL else outside
        return top in sys.stdlib_module_names or (top in known and not (own == SHELL and top == "mlflow"))
    target = rest.split(".")[0]
    leaf = rest.rpartition(".")[2]
    if target == own:
        return own not in ENTRIES or leaf.startswith("_") or leaf == own
    if leaf.startswith("_") or target == SHELL:  # a private module serves its own folder
        return False
    return target in inside or (own == SHELL and target in ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    name = str(path.relative_to(ROOT))
    forbidden = violations(name, path.read_text("utf-8"))
    assert not forbidden, f"{name} may not import {', '.join(forbidden)} (DESIGN section 2)"


def test_every_room_has_its_arrows():
    rooms = {room(path) for path in FILES} - {"__init__", SHELL}
    assert not rooms - ROOMS.keys()


def test_the_arrows_point_one_way():
    order = list(TopologicalSorter({name: inside for name, (inside, _) in ROOMS.items()}).static_order())
    assert set(order) == set(ROOMS)


def test_no_exception_is_stale():
    for name, module in EXCEPTIONS:
        found = list(imported(ast.parse((ROOT / name).read_text("utf-8"))))
        assert any(each == module or each.startswith(f"{module}.") for each in found), (name, module)


@pytest.mark.parametrize(
    ("name", "source", "forbidden"),
    [
        ("card.py", "import numpy", ["numpy"]),
        ("registry.py", "from fdl_zoo import catalogue", ["fdl_zoo.catalogue"]),
        (
            "models/mlp.py",
            "def build():\n    from fdl_zoo.training.losses import make_loss",
            ["fdl_zoo.training.losses"],
        ),
        ("models/mlp.py", "from fdl_zoo.models import convnet", ["fdl_zoo.models.convnet"]),
        ("models/mlp.py", "from fdl_zoo.models import _layers", []),
        ("models/mlp.py", "from fdl_zoo.optimizers._base import register", ["fdl_zoo.optimizers._base"]),
        ("analysis/curves.py", "import importlib\nimportlib.import_module('fdl_zoo.cli')", ["fdl_zoo.cli"]),
        ("tracking/sender.py", "import mlflow.keras", ["mlflow.keras"]),
        ("cli/ui.py", "from mlflow import MlflowClient", ["mlflow"]),
        ("artifacts/load.py", "import fdl_zoo.training.run", ["fdl_zoo.training.run"]),
        ("card.py", "from fdl_zoo import Card", ["fdl_zoo"]),
    ],
)
def test_a_wrong_import_is_seen(name, source, forbidden):
    assert violations(name, source) == forbidden


def knows_strategies(tree):
    """Whether `tf.distribute`, or a module of that name, occurs."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "distribute")
        or (isinstance(node, ast.ImportFrom) and "distribute" in (node.module or ""))
        for node in ast.walk(tree)
    )


def test_only_two_files_know_strategies():
    found = [str(path.relative_to(ROOT)) for path in FILES if knows_strategies(ast.parse(path.read_text("utf-8")))]
    assert sorted(found) == sorted(KNOW_STRATEGIES)
