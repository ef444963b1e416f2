"""Watches the other workers while TensorFlow connects them: a process of its own, which outlives its worker.

TensorFlow waits there without end for a worker that has died, holds the interpreter's lock and answers no signal.
"""

import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.sender import Sender


@contextmanager
def guarded(
    connections: dict[str, socket.socket], folder: RunFolder, uri: str | None, temporary: bool
) -> Iterator[None]:
    """Within this block, a worker that hangs up ends this process; why is said, recorded and sent to the store.

    One that has said something is taken for connected, and may hang up.

    Args:
        connections: To the other workers, by what they are called in the message.
        folder: The run's.
        uri: The tracking store's address; None without tracking.
        temporary: The folder's root is this worker's own, and goes with it.
    """
    numbers = {name: connection.fileno() for name, connection in connections.items()}
    told = {
        "worker": os.getpid(),
        "connections": numbers,
        "folder": str(folder.path),
        "uri": uri,
        "temporary": temporary,
    }
    command = [sys.executable, "-m", "fdl_zoo.training.guard"]
    # In a session of its own: Ctrl-C is for the worker.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, pass_fds=tuple(numbers.values()), start_new_session=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        yield  # then its standard input is closed, which ends it


def main() -> None:
    """Be the guard of the process that says on standard input what to watch."""
    told = json.loads(sys.stdin.buffer.readline())
    lost = _first_lost({name: socket.socket(fileno=number) for name, number in told["connections"].items()})
    if lost is None:
        return
    os.kill(told["worker"], signal.SIGKILL)
    reason = f"{lost} ended while TensorFlow connected the workers: see what it says, and start all of them again."
    print(f"fdl: {reason}", file=sys.stderr, flush=True)
    folder = RunFolder.open(Path(told["folder"]))
    while folder.is_owned:  # until its worker is gone
        time.sleep(0.05)
    if told["temporary"]:
        shutil.rmtree(folder.root)
        return
    folder.acquire()
    folder.finish("FAILED", reason)
    if told["uri"]:
        message = Sender(folder, told["uri"]).close(timeout=20.0)
        if message:
            print(message, file=sys.stderr)


def _first_lost(connections: dict[str, socket.socket]) -> str | None:
    """Who of the others hangs up without a word; None where the guarded block ends before, or its process does."""
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        for name, connection in connections.items():
            selector.register(connection, selectors.EVENT_READ, name)
        while True:
            ready = [key for key, _ in selector.select()]
            if any(key.fileobj is sys.stdin for key in ready):
                return None
            for key in ready:
                if _has_ended(key.fileobj):
                    return key.data
                selector.unregister(key.fileobj)


def _has_ended(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


if __name__ == "__main__":
    main()
