"""Who trains a run: its host, process and heartbeat, by which others tell a run at work from one that was killed."""

import contextlib
import json
import os
import platform
import threading
import time
from pathlib import Path

from fdl_zoo.tracking.files import write_json

BEAT_SECONDS = 5.0
STALE_SECONDS = 60.0


class Owner:
    """This process as the owner of a run: states itself in a file, and touches it until it lets go.

    Args:
        path: The owner's file in the run's folder.
        beat: Seconds between two touches.
    """

    def __init__(self, path: Path, beat: float = BEAT_SECONDS) -> None:
        self.path = path
        self._beat = beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, name="fdl-heartbeat", daemon=True)

    def start(self) -> None:
        """Writes the file and starts the heartbeat."""
        pid = os.getpid()
        write_json(self.path, {"host": platform.node(), "pid": pid, "process_started": _process_started(pid)})
        self._thread.start()

    def stop(self) -> None:
        """Ends the heartbeat and removes the file."""
        self._stopped.set()
        self._thread.join()
        self.path.unlink(missing_ok=True)

    def _keep_beating(self) -> None:
        while not self._stopped.wait(self._beat):
            # The disk may be full or the folder gone for a while: a beat is missed, and the next one is tried.
            with contextlib.suppress(OSError):
                os.utime(self.path)


def read_owner(path: Path) -> dict | None:
    """Host, pid and process start of the owner, or None where there is no owner's file that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def is_alive(path: Path) -> bool:
    """Whether the owner that the file names is still at work.

    On this host the process is looked up, with its start time because process numbers are used again; of another host
    only the heartbeat can be seen.
    """
    owner = read_owner(path)
    if owner is None:
        return False
    if owner.get("host") == platform.node():
        return _process_started(owner.get("pid")) == owner.get("process_started") is not None
    try:
        return time.time() - path.stat().st_mtime < STALE_SECONDS
    except FileNotFoundError:
        return False


def _process_started(pid: int) -> float | None:
    """When a process of this host started, or None where it is dead; a zombie is dead."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time(), 2)
    except psutil.NoSuchProcess:
        return None
