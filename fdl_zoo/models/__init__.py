"""The models: one file per entry, the folder listing is the catalogue.

Importing this package imports Keras and every entry, which registers the models' own layers: saved models load.
"""

import importlib
import pkgutil

for _entry in pkgutil.iter_modules(__path__):
    if not _entry.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_entry.name}")
