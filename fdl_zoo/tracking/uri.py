"""Addresses of tracking stores: the embedded default, and what the environment names."""

import os
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from fdl_zoo.errors import InvalidOption
from fdl_zoo.tracking.secrets import redacted

EXPERIMENT = "fdl_zoo"
ADDRESSES = "it is http://HOST:PORT, sqlite:///PATH, or another store that MLflow takes"
_SCHEMES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql", "databricks", "databricks-uc", "uc")


def is_address(uri: str) -> bool:
    """Whether a store may answer there: what none does would be tried again by each later command.

    MLflow closed folders of files.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    known = (
        parts.scheme.partition("+")[0] in _SCHEMES
        or uri == "databricks"
        or (parts.scheme in ("", "file") and bool(os.environ.get("MLFLOW_ALLOW_FILE_STORE")))
        or parts.scheme in entry_points(group="mlflow.tracking_store").names
    )
    return known and not (parts.scheme in ("http", "https") and not parts.hostname)


def check_environment() -> None:
    """Refuse a `MLFLOW_TRACKING_URI` at which no store can be.

    Raises:
        InvalidOption: It is set to such a value.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given and not is_address(given):
        raise InvalidOption(
            f"MLFLOW_TRACKING_URI cannot be {redacted(given)!r}: {ADDRESSES}; unset, it is the store below mlruns/."
        )


def embedded_uri(root: Path = Path("mlruns")) -> str:
    """The embedded store's address: SQLite by absolute path, so that a changed working directory cannot move it."""
    return f"sqlite:///{Path(root).resolve() / 'mlflow.db'}"


def default_uri(root: Path = Path("mlruns")) -> str:
    """Where runs are tracked unless a command says otherwise: `MLFLOW_TRACKING_URI`, or the embedded store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri(root)


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite store, or None for every other store."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None
