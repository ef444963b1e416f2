"""Addresses of tracking stores: the embedded default, and what the environment names."""

import os
from pathlib import Path

EXPERIMENT = "fdl_zoo"


def embedded_uri(root: Path = Path("mlruns")) -> str:
    """The embedded store's address: SQLite by absolute path, so that a changed working directory cannot move it."""
    return f"sqlite:///{Path(root).resolve() / 'mlflow.db'}"


def default_uri(root: Path = Path("mlruns")) -> str:
    """Where runs are tracked unless a command says otherwise: `MLFLOW_TRACKING_URI`, or the embedded store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri(root)


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite store, or None for every other store."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None
