"""fdl_zoo: a model zoo and plugin registry on Keras 3 for Fundamentals of Deep Learning.

The public names load at first use: `import fdl_zoo` imports neither Keras nor MLflow.
"""

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "fdl_zoo.card": ("Card", "Recipe", "Reference", "Variant", "Weights"),
    "fdl_zoo.catalogue": (
        "list_models",
        "list_optimizers",
        "list_callbacks",
        "list_datasets",
        "describe",
        "create_model",
        "create_optimizer",
        "create_callback",
        "load_dataset",
        "register_model",
        "register_optimizer",
        "register_callback",
        "register_dataset",
    ),
    "fdl_zoo.data": ("Dataset", "Split", "Normalization", "Context"),
    "fdl_zoo.errors": ("ZooError",),
    "fdl_zoo.plugins.listing": ("list_plugins",),
    "fdl_zoo.plugins.doctor": ("diagnose_plugins",),
    "fdl_zoo.plugins.new": ("new_plugin",),
    "fdl_zoo.plugins.conformance": ("check_plugin",),
    "fdl_zoo.preparation": ("list_data", "prepare_data"),
    "fdl_zoo.spec": ("RunSpec",),
    "fdl_zoo.training.accelerate": ("accelerate",),
    "fdl_zoo.training.trainer": ("train",),
    "fdl_zoo.training.resume": ("resume",),
    "fdl_zoo.training.rerun": ("rerun",),
    "fdl_zoo.training.diff": ("diff",),
    "fdl_zoo.training.runs": ("runs", "find_run"),
    "fdl_zoo.training.run": ("Run",),
    "fdl_zoo.artifacts.load": ("load_model",),
    "fdl_zoo.analysis.surface": ("surface",),
    "fdl_zoo.analysis.curvature": ("curvature",),
    "fdl_zoo.analysis.features": ("features",),
    "fdl_zoo.analysis.reach": ("gradient_reach",),
    "fdl_zoo.comparison.compare": ("compare",),
    "fdl_zoo.comparison.tune": ("tune",),
    "fdl_zoo.comparison.find_lr": ("find_lr",),
    "fdl_zoo.artifacts.evaluate": ("evaluate",),
    "fdl_zoo.artifacts.predict": ("predict",),
    "fdl_zoo.artifacts.export": ("export",),
    "fdl_zoo.artifacts.serve": ("serve",),
    "fdl_zoo.artifacts.register": ("register",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fdl_zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# With Keras at hand its registration of our optimizers costs little, and `compile("fdl_zoo>adam")` works at once.
if "keras" in sys.modules:
    importlib.import_module("fdl_zoo.optimizers")
