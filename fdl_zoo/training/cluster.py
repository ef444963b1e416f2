"""The workers of a run over several machines: who they are (TF_CONFIG), and two local ones for a trial."""

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fdl_zoo.errors import InvalidOption, InvalidSpec
from fdl_zoo.spec import RunSpec

VARIABLE = "TF_CONFIG"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cluster:
    """The addresses of all workers, and which of them this process is.

    Args:
        workers: `host:port` of each; the first one records the run.
        index: This process's place among them, from 0.
    """

    workers: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process records the run and writes checkpoints."""
        return self.index == 0


def read() -> Cluster | None:
    """The cluster that TF_CONFIG describes; None where it is not set.

    Raises:
        InvalidOption: It is set to something else than a cluster of workers.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        config = json.loads(text)
        workers, kind, index = config["cluster"]["worker"], config["task"]["type"], config["task"]["index"]
        index = int(index) if isinstance(index, str) else index
    except (ValueError, KeyError, TypeError):
        raise InvalidOption(f"{VARIABLE} cannot be {text!r}: {_example()}.") from None
    _check_addresses(workers)
    known = type(index) is int and 0 <= index < len(workers)  # true is not 1
    if set(config["cluster"]) != {"worker"} or kind != "worker" or not known:
        raise InvalidOption(
            f"{VARIABLE} cannot be {text!r}: only workers are supported, and task.index is the number of one of them;"
            f" {_example()}."
        )
    return Cluster(tuple(workers), index)


def _check_addresses(workers: Any) -> None:
    """Refuse what no workers could listen at."""
    if not isinstance(workers, list) or not workers:
        raise InvalidOption(f"{VARIABLE} cannot have the workers {workers!r}: give a list of addresses; {_example()}.")
    for address in workers:
        if not isinstance(address, str) or not _is_address(address):
            raise InvalidOption(
                f"{VARIABLE} cannot have the worker {address!r}: write host:port, with a port from 1 to 65535."
            )
        if workers.count(address) > 1:
            raise InvalidOption(
                f"{VARIABLE} cannot have the worker {address} twice: give each worker an address of its own."
            )


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535


def _example() -> str:
    task = {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}
    return f"write, for example, {json.dumps(task)}"


@contextlib.contextmanager
def workers(spec: RunSpec) -> Iterator[Cluster | None]:
    """The cluster that a run is trained on, local workers of a trial included; None for one process.

    Args:
        spec: What is trained. Its `workers` are local processes of a trial; None takes those of TF_CONFIG.

    Raises:
        InvalidSpec: Neither says who the workers are, or there is one only.
    """
    if spec.strategy != "multiworker":
        yield None
    elif spec.workers is not None:
        with local(spec.workers, spec):
            yield read()
    else:
        yield _configured()


def count_workers(count: int | None) -> int:
    """How many workers a multi-worker run would have, without starting or waiting for any; see `workers`."""
    return count if count is not None else len(_configured().workers)


def _configured() -> Cluster:
    cluster = read()
    if cluster is None:
        raise InvalidSpec(
            f"strategy multiworker needs to know the workers: set {VARIABLE} on each machine ({_example()}), or try it"
            " with two processes of this one: --workers 2."
        )
    if len(cluster.workers) == 1:
        raise InvalidSpec(
            f"strategy multiworker needs at least two workers, and {VARIABLE} names {cluster.workers[0]} alone: name"
            " all of them there, or leave strategy out to train in one process."
        )
    return cluster


@contextlib.contextmanager
def local(count: int, spec: RunSpec) -> Iterator[None]:
    """Start `count - 1` further workers on this machine, this process being the first; they end with the block.

    The specification goes to each through a pipe, because it may have secrets that the meeting does not tell.

    Raises:
        InvalidSpec: A cluster is configured already.
    """
    if os.environ.get(VARIABLE):
        raise InvalidSpec(f"workers cannot be {count}: {VARIABLE} names the workers already; leave workers out.")
    workers = [f"127.0.0.1:{port}" for port in _free_ports(count)]

    def config(index: int) -> str:
        return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})

    command = [sys.executable, "-m", "fdl_zoo.training.follower"]
    started = [
        # In a session of its own: Ctrl-C goes to the first worker, and from it to all at the end of one block.
        subprocess.Popen(
            command, env={**os.environ, VARIABLE: config(index)}, stdin=subprocess.PIPE, start_new_session=True
        )
        for index in range(1, count)
    ]
    os.environ[VARIABLE] = config(0)
    try:
        for process in started:
            _tell(process, spec)
        yield
        for index, process in enumerate(started, start=1):  # they end by themselves once all have tested
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                _logger.warning("Worker %d was still busy 60 s after the run had ended, and is ended too.", index)
    finally:
        del os.environ[VARIABLE]
        for process in started:
            process.kill()
            process.wait()


def _tell(process: subprocess.Popen, spec: RunSpec) -> None:
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(spec.to_yaml().encode())


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on: found together, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
