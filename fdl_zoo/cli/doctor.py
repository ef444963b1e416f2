"""`fdl doctor`: versions, devices, store, datasets and plugins: what works here and what does not."""

import importlib.metadata
import platform
import shutil
from pathlib import Path
from typing import Any

import click

from fdl_zoo.cli._common import columns, common_options, emit, state_of, width

_PACKAGES = ("fdl-zoo", "keras", "tensorflow", "mlflow", "numpy", "scikit-learn", "tensorflow-datasets")


@click.command("doctor")
@common_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """Say what works here: versions, devices, store, datasets, plugins."""
    facts = {
        "versions": _versions(),
        "devices": _devices(state_of(ctx).verbose),
        "store": _store(),
        "datasets": _datasets(),
        "plugins": _plugins(),
    }
    rows = []
    for title, values in facts.items():
        rows += [(title if index == 0 else "", name, str(value)) for index, (name, value) in enumerate(values.items())]
    emit(ctx, facts, columns(rows, width()))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _devices(verbose: bool) -> dict[str, str]:
    from fdl_zoo import backend

    backend.load(verbose)
    import tensorflow as tf

    found = {}
    for device in tf.config.list_physical_devices():
        details = tf.config.experimental.get_device_details(device)
        found[device.name.removeprefix("/physical_device:").lower()] = details.get("device_name", "ready")
    if shutil.which("nvidia-smi") and not any(name.startswith("gpu") for name in found):
        found["gpu"] = "a driver is here, but TensorFlow does not use it: pip install 'tensorflow[and-cuda]'"
    return found


def _store() -> dict[str, Any]:
    from fdl_zoo.tracking import default_uri
    from fdl_zoo.tracking.folder import ROOT, list_folders
    from fdl_zoo.tracking.secrets import redacted
    from fdl_zoo.tracking.uri import sqlite_path

    uri = default_uri(ROOT)
    database = sqlite_path(uri)
    state = (
        "a server"
        if database is None
        else f"{database.stat().st_size:,} bytes"
        if database.exists()
        else "not made yet"
    )
    unsent = len(list(Path(ROOT).glob("runs/*/unsent")))
    return {"uri": redacted(uri), "state": state, "runs here": len(list_folders(ROOT)), "runs to send": unsent}


def _datasets() -> dict[str, str]:
    from fdl_zoo import availability, catalogue

    found = {}
    for entry in catalogue.datasets.entries():
        source = entry.card.source
        if source.startswith("tfds:"):
            prepared = availability.is_prepared(source)
            found[entry.name] = "prepared" if prepared else f"not prepared in {availability.prepared_folder(source)}"
        else:
            found[entry.name] = "ready"
    return found


def _plugins() -> dict[str, str]:
    from fdl_zoo import catalogue

    failures = catalogue.failures()
    found = {each.distribution: f"{each.version}, {len(each.entries)} entries" for each in catalogue.discovery.plugins}
    found |= {failure.distribution: str(failure) for failure in failures}
    return found or {"none": "installed"}
