"""Loads every plugin's entry in a process of its own, within a time limit, and says what failed and why.

An import that never ends, a `SystemExit`, an `os._exit` or a crash of the interpreter ends its own process only.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from fdl_zoo import catalogue
from fdl_zoo.entry import Entry, Failure
from fdl_zoo.plugins.conflicts import conflicts
from fdl_zoo.plugins.listing import list_plugins

TIME_LIMIT = 30.0  # seconds for an entry's import, and again for its build
_START_LIMIT = 300.0  # seconds for Keras and TensorFlow, which are not the plugin's
_PROBE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from fdl_zoo.plugins.probe import main; main()"


@dataclass(frozen=True)
class Finding:
    """What came of loading one entry.

    Args:
        kind: Its kind.
        entry: Its full name.
        distribution: Whose it is.
        version: The distribution's version.
        state: `ok`, or `failed`.
        phase: `import` or `build`: what failed, or the last that was tried.
        message: The cause of a failure, or why nothing was built.
        seconds: How long its import took; None where it did not end.
    """

    kind: str
    entry: str
    distribution: str
    version: str
    state: str
    phase: str
    message: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What is known about plugins once each entry was loaded.

    Args:
        plugins: What `list_plugins` gives.
        findings: What came of loading each entry.
        failures: All that is wrong: in metadata, names, sources, imports and builds.
        notices: Names that need their distribution, and distributions that are there several times.
        time_limit: Seconds that each import and each build had.
    """

    plugins: list[dict[str, Any]]
    findings: list[Finding]
    failures: list[Failure]
    notices: list[str]
    time_limit: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "plugins": self.plugins,
            "entries": [vars(each) for each in self.findings],
            "failures": [vars(each) for each in self.failures],
            "notices": self.notices,
            "time_limit": self.time_limit,
        }


def diagnose_plugins(
    time_limit: float = TIME_LIMIT, notify: Callable[[Finding], object] = lambda finding: None
) -> Diagnosis:
    """Import and build every entry that plugins bring, each in a process of its own.

    Args:
        time_limit: Seconds after which an import, or a build with default options, is given up.
        notify: Called with each finding as it is made.
    """
    entries = [
        entry
        for registry in catalogue.REGISTRIES.values()
        for entry in registry.entries()
        if entry.door in ("installed", "folder") and entry.variant_of is None
    ]
    findings = {finding.entry + finding.kind: finding for finding in _findings(entries, time_limit, notify)}
    ordered = [findings[entry.name + entry.kind] for entry in entries]
    failures = catalogue.failures() + [
        Failure(each.distribution, each.version, each.entry, each.phase, each.message, each.kind)
        for each in ordered
        if each.state == "failed"
    ]
    return Diagnosis(list_plugins(), ordered, failures, conflicts(), time_limit)


def _findings(entries: list[Entry], time_limit: float, notify: Callable[[Finding], object]) -> Iterator[Finding]:
    """Findings as they are made; whatever ends this early ends the processes too."""
    probes = [_Probe(entry, time_limit) for entry in entries]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        try:
            for future in as_completed([pool.submit(probe.run) for probe in probes]):
                notify(future.result())
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for probe in probes:
                probe.kill()
            raise


class _Probe:
    """One process that loads one entry.

    Args:
        entry: The entry.
        time_limit: Seconds for each of import and build.
    """

    def __init__(self, entry: Entry, time_limit: float) -> None:
        self.entry, self.time_limit = entry, time_limit
        self.process: subprocess.Popen[str] | None = None

    def run(self) -> Finding:
        """Start it, listen to it, and see that it has ended."""
        path = json.dumps([each for each in sys.path if each])
        command = [sys.executable, "-c", _PROBE, path, self.entry.kind, self.entry.name]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # never written to: its end tells the process that this one is gone
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            return self._listen(self._lines())
        finally:
            self.kill()
            self.process.wait()
            assert self.process.stdin is not None
            self.process.stdin.close()

    def kill(self) -> None:
        """End the process and what it has started."""
        if self.process is not None and self.process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def _lines(self) -> "queue.Queue[dict[str, Any] | None]":
        """What the process says, a message at a time; None when it has ended."""
        lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        process = self.process
        assert process is not None

        def read() -> None:
            assert process.stdout is not None
            with process.stdout:
                for line in process.stdout:
                    lines.put(json.loads(line))
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        return lines

    def _listen(self, lines: "queue.Queue[dict[str, Any] | None]") -> Finding:
        phase, seconds, limit = "start", None, _START_LIMIT
        while True:
            try:
                message = lines.get(timeout=limit)
            except queue.Empty:
                return self._failed(phase, f"its {phase} did not end within {limit:g} seconds.", seconds)
            if message is None:
                return self._failed(phase, f"its {phase} ended the process ({self._status()}).", seconds)
            if message["event"] == "begins":
                phase, limit = message["phase"], self.time_limit
            elif message["event"] == "imported":
                seconds = message["seconds"]
            elif message["event"] == "failed":
                return self._failed(message["phase"], message["message"], seconds)
            else:
                return self._finding("ok", phase, message["message"], seconds)

    def _status(self) -> str:
        assert self.process is not None
        status = self.process.wait()
        return signal.Signals(-status).name if status < 0 else f"status {status}"

    def _failed(self, phase: str, message: str, seconds: float | None) -> Finding:
        return self._finding("failed", phase, message, seconds)

    def _finding(self, state: str, phase: str, message: str, seconds: float | None) -> Finding:
        entry = self.entry
        return Finding(entry.kind, entry.name, entry.distribution, entry.version, state, phase, message, seconds)
