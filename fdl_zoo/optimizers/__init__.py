"""The optimizers: one file per entry, the folder listing is the catalogue.

Importing this package imports Keras and every entry, which registers the classes: `compile(optimizer="fdl_zoo>adam")`
works, and saved models load.
"""

import importlib
import pkgutil

from fdl_zoo.optimizers._minimize import Minimum, minimize

__all__ = ["Minimum", "minimize"]

for _entry in pkgutil.iter_modules(__path__):
    if not _entry.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_entry.name}")
