"""Several processes that train children at once; one that dies takes its child with it, and is replaced."""

import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

Judge = Callable[[int, Mapping[str, float]], bool]


class Pool:
    """At most `jobs` worker processes, started when they are first needed.

    Args:
        jobs: How many children are trained at once; the processors are divided among them.
        log: A file for what the workers' libraries print.
    """

    def __init__(self, jobs: int, log: Path) -> None:
        self.jobs = jobs
        self._workers = [_Worker(log, jobs) for _ in range(jobs)]
        self._idle: queue.Queue[_Worker] = queue.Queue()
        self._stopped = False
        for worker in self._workers:
            self._idle.put(worker)

    def run(
        self,
        job: Mapping[str, Any],
        *,
        started: Callable[[str], None] | None = None,
        judge: Judge | None = None,
    ) -> dict[str, Any]:
        """Train a child in one of the processes and wait for its outcome; may be called by several threads.

        Args:
            job: What the worker needs, as plain values.
            started: Told the run's name once its folder is there.
            judge: Told each epoch and its metrics; answers whether to go on. None lets every epoch run.
        """
        worker = self._idle.get()
        try:
            if self._stopped:
                return {"status": "KILLED", "reason": "the sweep was interrupted", "name": None}
            return worker.run({**job, "judged": judge is not None}, started, judge)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the processes, which have nothing to do any more."""
        for worker in self._workers:
            worker.close()

    def stop(self) -> None:
        """Interrupt what is being trained: each child is recorded as KILLED."""
        self._stopped = True
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait(15)


class _Worker:
    """One process, started with its first job."""

    def __init__(self, log: Path, jobs: int) -> None:
        self._log, self._jobs = log, jobs
        self._process: subprocess.Popen[str] | None = None

    def run(self, job: Mapping[str, Any], started: Callable[[str], None] | None, judge: Judge | None) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self.wait(0)
            self._process = self._start()
        name = None
        try:
            self._say(job)
            while line := self._process.stdout.readline():
                message = json.loads(line)
                if message["event"] == "done":
                    return message
                if message["event"] == "started":
                    name = message["name"]
                    if started:
                        started(name)
                elif judge:
                    self._say({"answer": "go" if judge(message["epoch"], message["metrics"]) else "stop"})
        except BrokenPipeError:
            pass
        return {"status": "FAILED", "reason": self._how_it_died(), "name": name}

    def _start(self) -> "subprocess.Popen[str]":
        threads = str(max(1, (os.cpu_count() or 1) // self._jobs))
        # Each child gets its share of the processors, or they would wait for each other and times would mean nothing.
        limits = {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads, "OMP_NUM_THREADS": threads}
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
        with open(self._log, "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "fdl_zoo.comparison.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**limits, **os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )

    def _say(self, message: Mapping[str, Any]) -> None:
        print(json.dumps(message), file=self._process.stdin, flush=True)

    def _how_it_died(self) -> str:
        status = self._process.wait()
        cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"its process ended ({cause}); {self._log} has its last words"

    def close(self) -> None:
        if self._process is None:
            return
        with suppress(BrokenPipeError):
            self._process.stdin.close()  # it ends when it has nothing more to read
        self.wait(30)

    def terminate(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
