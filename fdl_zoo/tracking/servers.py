"""Server processes on this machine: started on a free port, waited for until they answer, ended with their starter."""

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fdl_zoo.errors import InvalidOption, TrackingError

READY_SECONDS = 60.0
# On Linux the kernel ends the server when this process ends, however it ends; the server then ends its worker.
_START = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def free_port(what: str, host: str, port: int | None) -> int:
    """The port to listen on: the given one, or one that is free.

    Raises:
        InvalidOption: It cannot be listened on.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port or 0))
        except OSError as error:
            where = host if port is None else f"{host}:{port}"
            raise InvalidOption(f"{what} cannot listen on {where}: {error.strerror}; leave --port out.") from error
        return listener.getsockname()[1]


def address(host: str, port: int) -> str:
    """Where a browser of this machine finds it."""
    return f"http://{'127.0.0.1' if host in ('', '0.0.0.0') else f'[{host}]' if ':' in host else host}:{port}"


class Server(subprocess.Popen):
    """A server's process.

    Args:
        log: Where its output goes.
    """

    def __init__(self, *arguments: Any, log: Path, **options: Any) -> None:
        self.log = log
        with open(log, "wb") as output:
            super().__init__(*arguments, stdout=output, stderr=subprocess.STDOUT, **options)


def start(command: Sequence[str], settings: Mapping[str, str], log: Path) -> Server:
    """Starts `python -m COMMAND` with its output in `log`. What is secret goes by the environment."""
    # MLflow starts its workers by name (`uvicorn`), and a virtual environment need not be activated to be used.
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return Server(
        [sys.executable, "-c", _START, *command],
        env={**os.environ, **settings, "PATH": programs},
        stdin=subprocess.DEVNULL,
        log=log,
    )


def wait_until_ready(what: str, process: Server, url: str, seconds: float) -> None:
    """Waits until the server answers at `/health`: this one, not another that was faster to take the port.

    Raises:
        TrackingError: It ended, or does not answer in time.
    """
    deadline = time.monotonic() + seconds
    # A proxy of the environment has no business between this process and its own server.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TrackingError(f"{what} did not start; its server says why in {process.log}.")
        try:
            with opener.open(f"{url}/health", timeout=1) as answer:
                if answer.status == 200 and _listens(process, urlsplit(url).port):
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.05)
    raise TrackingError(f"{what} did not answer within {seconds:g} s; its server may say why in {process.log}.")


def _listens(process: Server, port: int | None) -> bool:
    """Whether it is this process, or one that it has started, that listens on the port."""
    import psutil

    try:
        first = psutil.Process(process.pid)
        family = [first, *first.children(recursive=True)]
        sockets = [each for one in family for each in one.net_connections("tcp")]
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it cannot be known here, and hardly ever is it another's
        return process.poll() is None
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in sockets)


def wait(what: str, process: Server) -> None:
    """Waits until the server ends, which it does not by itself.

    Raises:
        TrackingError: It was ended by somebody else, or failed.
    """
    status = process.wait()
    if status:
        how = f"by signal {-status} ({signal.strsignal(-status)})" if status < 0 else f"with status {status}"
        raise TrackingError(f"{what} has ended {how}; what it said last is in {process.log}.")


def stop(process: subprocess.Popen, timeout: float = 10.0) -> None:
    """Ends a server and its worker."""
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
