"""Serves a run's model over HTTP by MLflow's server: raw units in, probabilities out, on this machine only."""

import tempfile
from pathlib import Path

from fdl_zoo.artifacts.package import packaged
from fdl_zoo.artifacts.reference import Located, locate
from fdl_zoo.artifacts.safe import inspect_package
from fdl_zoo.tracking import environment, servers
from fdl_zoo.tracking.folder import ROOT
from fdl_zoo.tracking.servers import Server

READY_SECONDS = 120.0  # TensorFlow is imported and the model is loaded
_WHAT = "The model's server"
_FOLDER = "FDL_ZOO_SERVED_FOLDER"  # where `answering` finds the package


def serve(
    reference: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    root: Path = ROOT,
    allow_unsafe: bool = False,
) -> tuple[Server, str]:
    """Starts the server and waits until it answers.

    It answers `POST /invocations` with `{"inputs": [...]}`, examples in raw units, by `{"predictions": [...]}`. NaN,
    infinity and null it refuses with status 400, as `predict` does.

    Args:
        reference: What `load_model` takes, but for a bare `.keras` file and `@best`.
        host: The address to listen on; `exposure` says what it means to choose another.
        port: The port to listen on; a free one by default.
        root: The folder that holds `runs/`.
        allow_unsafe: Serve a folder that was not made here. What it holds runs.

    Returns:
        The server's process, which `terminate` ends, and its address.

    Raises:
        UnknownName: There is no such run.
        InvalidOption: The host or the port cannot be listened on.
        InvalidData: It is a folder from elsewhere, and `allow_unsafe` was not given.
        TrackingError: The server does not start.
    """
    located = locate(reference, Path(root))
    folder = packaged(located)
    if not allow_unsafe:
        inspect_package(folder, ours=_is_ours(located, str(reference)))
    port = servers.free_port("The model", host, port)
    log = (located.folder.path if located.folder else Path(tempfile.mkdtemp(prefix="fdl-serve-"))) / "serve.log"
    command = ["uvicorn", "--factory", "fdl_zoo.artifacts.answering:application", "--host", host, "--port", str(port)]
    process = servers.start(command, environment.SETTINGS | {_FOLDER: str(folder.resolve())}, log)
    url = servers.address(host, port)
    try:
        servers.wait_until_ready(_WHAT, process, url, READY_SECONDS)
    except BaseException:
        servers.stop(process)
        raise
    return process, url


def _is_ours(located: Located, reference: str) -> bool:
    """Whether it comes from a run's folder or from our own store, and not by a path from anywhere."""
    return located.folder is not None or reference.startswith(("models:/", "runs:/"))


def exposure(host: str) -> str | None:
    """What to warn of before listening on `host`; None on loopback."""
    if servers.is_loopback(host):
        return None
    return f"Listening on {host}: whoever reaches this machine can ask this model; there is no password."


def stop(process: Server) -> None:
    """Ends the server."""
    servers.stop(process)


def wait(process: Server) -> None:
    """Waits until the server ends, which it does not by itself.

    Raises:
        TrackingError: It was ended by somebody else, or failed.
    """
    servers.wait(_WHAT, process)


__all__ = ["exposure", "serve", "stop", "wait"]
