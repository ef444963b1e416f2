"""SIGTERM and Ctrl-C as exceptions, raised at once or held back to the end of a block, so that a run can be resumed."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Terminated(BaseException):
    """SIGTERM arrived. Not an `Exception`: no handler of errors may swallow it."""


_RAISED = {signal.SIGTERM: Terminated, signal.SIGINT: KeyboardInterrupt}


class Signals:
    """What asks a run to end.

    Attributes:
        pending: The exception that is due; None while nobody has asked.
        since: When it was asked for, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.pending: type[BaseException] | None = None
        self.since = 0.0
        self._held = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Turn signals into exceptions in the main thread; elsewhere they cannot be caught, and nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self._receive) for number in _RAISED}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the first signal back: somebody asks for `pending` at good moments. A second one is raised at once."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.raise_pending()

    @property
    def number(self) -> int:
        """The number of the signal that is due; 0 where none is."""
        return next((int(number) for number, kind in _RAISED.items() if kind is self.pending), 0)

    def ask(self, number: int) -> None:
        """Ask for the run's end as the signal of this number would, if nobody has yet: another worker got it."""
        if number and self.pending is None:
            self.pending, self.since = _RAISED[signal.Signals(number)], time.monotonic()

    def raise_pending(self) -> None:
        """Raise what is due, if anything is."""
        if self.pending is not None:
            raise self.pending

    def _receive(self, number: int, frame: Any) -> None:
        first = self.pending is None
        self.pending, self.since = _RAISED[signal.Signals(number)], time.monotonic()
        if not (self._held and first):
            raise self.pending
