"""Addresses of tracking stores: the embedded default, and how to write one down without its secrets."""

import os
import re
from pathlib import Path

EXPERIMENT = "fdl_zoo"
_USER = re.compile(r"(?<=://)[^/\s@]*@(?=[^\s])")
_SECRET = re.compile(r"(?i)\b((?:[a-z_-]*(?:password|passwd|token|secret|api_?key))=)[^&\s'\"]+")


def embedded_uri(root: Path = Path("mlruns")) -> str:
    """The embedded store's address: SQLite by absolute path, so that a changed working directory cannot move it."""
    return f"sqlite:///{Path(root).resolve() / 'mlflow.db'}"


def default_uri(root: Path = Path("mlruns")) -> str:
    """Where runs are tracked unless a command says otherwise: `MLFLOW_TRACKING_URI`, or the embedded store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri(root)


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite store, or None for every other store."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


def redacted(text: str) -> str:
    """The text with users and passwords of addresses, and values of `password=`, `token=` and the like, left out."""
    return _SECRET.sub(r"\1***", _USER.sub("***@", text))
