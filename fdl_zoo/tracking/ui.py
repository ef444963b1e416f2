"""The MLflow UI over this working directory's runs: a real `mlflow server`, as small as it gets, on loopback."""

import ipaddress
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from fdl_zoo.errors import InvalidOption, TrackingError
from fdl_zoo.tracking import environment
from fdl_zoo.tracking.folder import ROOT
from fdl_zoo.tracking.store import ensure_store
from fdl_zoo.tracking.uri import default_uri, redacted

READY_SECONDS = 60.0
# On Linux the kernel ends the server when this process ends, however it ends; the server then ends its worker.
_SERVER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *sys.argv[1:]])
"""


def serve_ui(root: Path = ROOT, *, host: str = "127.0.0.1", port: int | None = None) -> tuple[subprocess.Popen, str]:
    """Starts the server and waits until it answers.

    Args:
        root: The folder of the runs and of the embedded store.
        host: The address to listen on; `exposure` says what it means to choose another.
        port: The port to listen on; a free one by default.

    Returns:
        The server's process, which `stop_ui` ends, and the address to open.

    Raises:
        InvalidOption: The host or the port cannot be listened on.
        TrackingError: The runs are on a server that has its own UI, or the server does not start.
    """
    uri = default_uri(root)
    if uri.startswith(("http://", "https://")):
        raise TrackingError(f"The runs are tracked on a server that has its own UI: open {redacted(uri)}.")
    port = _free_port(host, port)
    ensure_store(uri)
    process, log = _start(uri, Path(root).resolve(), host, port)
    url = f"http://{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{port}"
    try:
        _wait_until_ready(process, url, log)
    except BaseException:
        stop_ui(process)
        raise
    return process, url


def stop_ui(process: subprocess.Popen, timeout: float = 10.0) -> None:
    """Ends the server and its worker."""
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def exposure(host: str) -> str | None:
    """What to warn of before listening on `host`; None on loopback."""
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if is_loopback:
        return None
    return f"Listening on {host}: whoever reaches this machine can read and delete every run; there is no password."


def _start(uri: str, root: Path, host: str, port: int) -> tuple[subprocess.Popen, Path]:
    """The server's process and its log. The store's address, which may hold a password, goes by the environment."""
    settings = environment.SETTINGS | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_BACKEND_STORE_URI": uri}
    arguments = ["--host", host, "--port", str(port), "--workers", "1"]
    arguments += ["--artifacts-destination", str(root / "artifacts")]
    log = root / "ui.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, *arguments],
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return process, log


def _free_port(host: str, port: int | None) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port or 0))
        except OSError as error:
            where = host if port is None else f"{host}:{port}"
            raise InvalidOption(f"The UI cannot listen on {where}: {error.strerror}; leave --port out.") from error
        return listener.getsockname()[1]


def _wait_until_ready(process: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    # A proxy of the environment has no business between this process and its own server.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TrackingError(f"The UI did not start; its server says why in {log}.")
        try:
            with opener.open(f"{url}/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise TrackingError(f"The UI did not answer within {READY_SECONDS:g} s; its server may say why in {log}.")
