"""The MLflow UI over this working directory's runs: a real `mlflow server`, as small as it gets, on loopback."""

import sqlite3
from contextlib import closing
from pathlib import Path

from fdl_zoo.errors import InvalidOption
from fdl_zoo.tracking import environment, servers
from fdl_zoo.tracking.folder import ROOT
from fdl_zoo.tracking.secrets import redacted
from fdl_zoo.tracking.servers import Server
from fdl_zoo.tracking.servers import stop as stop_ui
from fdl_zoo.tracking.store import ensure_store
from fdl_zoo.tracking.uri import EXPERIMENT, default_uri, sqlite_path

READY_SECONDS = servers.READY_SECONDS
__all__ = ["exposure", "serve_ui", "stop_ui", "wait_for_ui"]


def serve_ui(root: Path = ROOT, *, host: str = "127.0.0.1", port: int | None = None) -> tuple[Server, str]:
    """Starts the server and waits until it answers.

    Args:
        root: The folder of the runs and of the embedded store.
        host: The address to listen on; `exposure` says what it means to choose another.
        port: The port to listen on; a free one by default.

    Returns:
        The server's process, which `stop_ui` ends, and the address to open: the page of this directory's runs.

    Raises:
        InvalidOption: The host or the port cannot be listened on, the runs are on a server that has its own UI, or no
            store can be where the environment says.
        TrackingError: The server does not start.
    """
    from fdl_zoo.spec import check_environment  # with a library for YAML, which a listing does without

    check_environment()
    uri = default_uri(root)
    if uri.startswith(("http://", "https://")):
        raise InvalidOption(f"The runs are tracked on a server that has its own UI: open {redacted(uri)}.")
    port = servers.free_port("The UI", host, port)
    ensure_store(uri)
    process = _start(uri, Path(root).resolve(), host, port)
    url = servers.address(host, port)
    try:
        servers.wait_until_ready("The UI", process, url, READY_SECONDS)
    except BaseException:
        stop_ui(process)
        raise
    return process, url + _page_of_runs(uri)


def wait_for_ui(process: Server) -> None:
    """Waits until the server ends, which it does not by itself.

    Raises:
        TrackingError: It was ended by somebody else, or failed.
    """
    servers.wait("The UI", process)


def exposure(host: str) -> str | None:
    """What to warn of before listening on `host`; None on loopback."""
    if servers.is_loopback(host):
        return None
    return f"Listening on {host}: whoever reaches this machine can read and delete every run; there is no password."


def _start(uri: str, root: Path, host: str, port: int) -> Server:
    """The server's process. The store's address, which may hold a password, goes by the environment."""
    settings = environment.SETTINGS | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_BACKEND_STORE_URI": uri}
    arguments = ["--host", host, "--port", str(port), "--workers", "1"]
    arguments += ["--artifacts-destination", str(root / "artifacts")]
    root.mkdir(parents=True, exist_ok=True)  # where the store is elsewhere, nothing may have been written here yet
    return servers.start(["mlflow", "server", *arguments], settings, root / "ui.log")


def _page_of_runs(uri: str) -> str:
    """The place of the experiment `fdl_zoo` in the UI, which by itself begins with pages about language models."""
    path = sqlite_path(uri)
    if path is None:
        return ""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        found = database.execute("SELECT experiment_id FROM experiments WHERE name = ?", (EXPERIMENT,)).fetchone()
    return f"/#/experiments/{found[0]}/runs?workflowType=machine_learning" if found else ""
