"""Brings the tracking store up to date with a sweep and its children, from one thread of the parent."""

import threading
from collections.abc import Callable
from typing import Any

from fdl_zoo.tracking import Tracker
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.secrets import redacted
from fdl_zoo.tracking.sender import mark_unsent, mirror, open_tracker

SECONDS = 3.0


class Publisher:
    """One writer for all runs of a sweep, so that children neither import MLflow nor wait for each other's writes.

    Nothing here raises into training; what could not be sent is said by `close`, and sent by a later command.

    Args:
        uri: The store's address.
        seconds: Between two looks at what is new.
        tracker: Makes the tracker of a run.
    """

    def __init__(
        self,
        uri: str,
        *,
        seconds: float = SECONDS,
        tracker: Callable[[RunFolder, str], Tracker] = open_tracker,
    ) -> None:
        self.uri = uri
        self._seconds, self._make_tracker = seconds, tracker
        self._open: dict[RunFolder, Any] = {}  # the runs that are not in the store yet as they ended, parents first
        self._changing = threading.Lock()
        self._closing = threading.Event()
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="fdl-publisher", daemon=True)
        self._thread.start()

    def add(self, folder: RunFolder) -> None:
        """Keep this run up to date from now on, until it has ended."""
        mark_unsent(folder, self.uri)
        with self._changing:
            self._open.setdefault(folder, None)

    def close(self, timeout: float = 60.0) -> str | None:
        """Send what is left and wait for it; a sentence where something stays unsent."""
        self._closing.set()
        self._thread.join(timeout)
        with self._changing:
            left = len(self._open)
        if not left:
            return None
        why = self._problem or f"it did not answer within {timeout:g} s"
        return (
            f"{left} runs of this sweep are not yet in the tracking store {redacted(self.uri)} ({why}); nothing is"
            " lost: the next `fdl` command sends them."
        )

    def _run(self) -> None:
        last = False
        while not last:
            last = self._closing.wait(self._seconds)
            self._problem = ""
            with self._changing:
                folders = list(self._open)
            for folder in folders:
                try:
                    self._send(folder)
                except Exception as error:  # a thread has nobody to raise to: `close` tells
                    self._problem = (str(error).strip() or type(error).__name__).splitlines()[0][:200]

    def _send(self, folder: RunFolder) -> None:
        with self._changing:
            tracker = self._open[folder]
        if tracker is None:
            tracker = self._make_tracker(folder, self.uri)
            with self._changing:
                self._open[folder] = tracker
        ended = folder.status != "RUNNING"
        if mirror(folder, tracker) and ended:
            with self._changing:
                del self._open[folder]
