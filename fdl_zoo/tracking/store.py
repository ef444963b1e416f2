"""The embedded store: an SQLite file that is made by one process, whole or not at all.

MLflow's own first use of a new database is unsafe: of several processes that race one survives, and one that is killed
meanwhile leaves a file that never opens again. So it is built under another name and moved into place.
"""

import os
from pathlib import Path

from fdl_zoo.errors import TrackingError
from fdl_zoo.tracking.files import Lock
from fdl_zoo.tracking.secrets import redacted
from fdl_zoo.tracking.uri import sqlite_path


def ensure_store(uri: str) -> None:
    """Makes the SQLite store at `uri` where it is missing; of other stores it leaves all to their servers.

    Raises:
        TrackingError: The file cannot be made there.
    """
    path = sqlite_path(uri)
    if path is None or path.exists():
        return
    lock = Lock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        if not path.exists():
            _create(path)
    except OSError as error:
        raise TrackingError(f"The tracking store {redacted(uri)} cannot be made: {error.strerror}.") from error
    finally:
        lock.release()


def _create(path: Path) -> None:
    """Builds the store beside its place and moves it there; what a killed builder left goes first."""
    from fdl_zoo.tracking.mlflow import create_database

    unfinished = f".{path.name}.new-"
    for left_over in path.parent.glob(f"{unfinished}*"):
        left_over.unlink()
    temporary = path.with_name(f"{unfinished}{os.getpid()}")
    create_database(temporary, path)
    os.replace(temporary, path)
