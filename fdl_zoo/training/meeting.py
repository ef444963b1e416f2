"""The meeting of a run's workers: before TensorFlow waits for all of them without end, plain sockets with a time limit.

Worker 0 listens at its address of TF_CONFIG; each other one says what it would train with which versions, and gets the
run's name, its specification and its newest checkpoint or first weights, so that no file system need be shared.
TensorFlow takes the address over after that.
"""

import io
import socket
import time
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fdl_zoo.errors import InvalidOption, TrainingFailed
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.secrets import redacted_yaml
from fdl_zoo.training import provenance
from fdl_zoo.training.cluster import Cluster
from fdl_zoo.training.initial import Initial
from fdl_zoo.training.messages import receive, send
from fdl_zoo.training.progress import Progress
from fdl_zoo.training.readiness import Readiness

PATIENCE = 60.0
GREETING = 2.0  # seconds that one who knocks has to say who they are: a silent one must not keep the others out


@dataclass(frozen=True)
class Agreement:
    """What all workers train.

    Args:
        name: The run's.
        spec: As YAML.
        files: The states to go on from, or else the weights to start from, as a zip archive; empty for neither.
        initial: What these weights are: `given` and `kind` of `Initial`, and the file's `name`; None without any.
    """

    name: str
    spec: str
    files: bytes = b""
    initial: dict[str, str] | None = None


def meet(
    cluster: Cluster,
    spec: RunSpec,
    folder: RunFolder,
    progress: Progress,
    initial: Initial | None = None,
    resumed: bool = False,
) -> Readiness:
    """As worker 0, meet all others over the run in a folder; a new run that does not come about leaves nothing.

    Args:
        cluster: Who all are.
        spec: What is trained; its secrets are not told, whoever comes to the meeting.
        folder: The run's, with the states to go on from, if there are any.
        progress: What shows the progress.
        initial: The weights to start from, which are sent to the others; only where there is no state to go on from.
        resumed: The run was there before: it stays, whatever becomes of the meeting.

    Returns:
        What waits until all of them are ready to train.
    """
    progress.say(f"worker 0 of {len(cluster.workers)}: waiting for the others at {cluster.workers[0]}")
    files = sorted(folder.checkpoints.glob("*.npz"))
    about = None
    if initial:
        files = [initial.path]
        about = {"given": initial.given, "kind": initial.kind, "name": initial.path.name}
    try:
        told = redacted_yaml(spec.to_yaml())
        return host(cluster, Agreement(folder.name, told, _packed(files), about), provenance.versions(spec))
    except BaseException:
        if resumed:
            folder.finish("FAILED", "not all workers came")
        else:
            folder.discard()
        raise


def _packed(files: list[Path]) -> bytes:
    """Files as a zip archive for the other workers; empty where there are none."""
    if not files:
        return b""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in files:
            archive.write(file, file.name)
    return content.getvalue()


def host(cluster: Cluster, agreement: Agreement, versions: dict[str, str], patience: float = PATIENCE) -> Readiness:
    """As worker 0, wait for all others and tell them what is trained.

    Returns:
        What waits until all of them are ready to train.

    Raises:
        TrainingFailed: A worker did not come in time.
        InvalidOption: A worker has other versions or another TF_CONFIG, or would train something else.
    """
    deadline = time.monotonic() + patience
    with ExitStack() as stack:
        listening = stack.enter_context(_listen(cluster.workers[0]))
        here: dict[int, socket.socket] = {}
        while len(here) < len(cluster.workers) - 1:
            listening.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                missing = [f"{index} ({cluster.workers[index]})" for index in _others(cluster) if index not in here]
                raise TrainingFailed(
                    f"Worker {', '.join(missing)} did not come within {patience:g} s: start it with the same TF_CONFIG"
                    " but its own task.index, and see that it can reach this one."
                ) from None
            stack.enter_context(connection)
            said = _greeting(connection)
            if said is None:  # somebody else knocked
                connection.close()
                continue
            problem = _objection(said, cluster, agreement, versions)
            if problem:
                for each in (connection, *here.values()):
                    send(each, {"problem": problem})
                raise InvalidOption(problem)
            here[said["worker"]] = connection
        told = {"name": agreement.name, "spec": agreement.spec, "initial": agreement.initial}
        for index, connection in here.items():
            connection.settimeout(patience)
            try:
                send(connection, told, agreement.files)
            except OSError:
                raise TrainingFailed(
                    f"Worker {index} ({cluster.workers[index]}) came and is gone: start all of them again."
                ) from None
        listening.close()
        stack.pop_all()  # the others stay connected
    return Readiness(cluster, here)


def join(
    cluster: Cluster, spec: str | None, versions: dict[str, str], patience: float = PATIENCE
) -> tuple[Agreement, Readiness]:
    """As any other worker, come to worker 0 and learn what is trained.

    Args:
        cluster: Who all are.
        spec: What this worker would train, as YAML; None trains whatever worker 0 says.
        versions: Of what it could train with; worker 0 compares those that its run uses.
        patience: Seconds to wait for worker 0.

    Returns:
        What is trained, and what waits until all workers are ready to train.

    Raises:
        TrainingFailed: Worker 0 did not answer in time.
        InvalidOption: Worker 0 has other versions or another TF_CONFIG, or trains something else.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with ExitStack() as stack:
                connection = stack.enter_context(socket.create_connection(_address(cluster.workers[0]), timeout=2.0))
                connection.settimeout(max(deadline - time.monotonic(), 0.01))
                about = {"worker": cluster.index, "workers": cluster.workers, "spec": spec, "versions": versions}
                send(connection, about)
                told, files = receive(connection, deadline, psutil.virtual_memory().available)
                stack.pop_all()  # it stays connected
                break
        except ValueError as error:
            raise TrainingFailed(
                f"What answers at {cluster.workers[0]} is no worker 0 ({error}): see that no other program uses that"
                " address."
            ) from None
        except OSError:
            if time.monotonic() > deadline:
                raise TrainingFailed(
                    f"Worker 0 ({cluster.workers[0]}) did not answer within {patience:g} s: start it with the same"
                    " TF_CONFIG but task.index 0, and see that this one can reach it."
                ) from None
            time.sleep(0.1)
    if "problem" in told:
        connection.close()
        raise InvalidOption(told["problem"])
    return Agreement(told["name"], told["spec"], files, told["initial"]), Readiness(cluster, {0: connection})


def _greeting(connection: socket.socket) -> dict[str, Any] | None:
    """What another worker says when it comes; None where it is no worker, or says nothing."""
    try:
        said, _ = receive(connection, time.monotonic() + GREETING, longest_body=0)
    except (OSError, ValueError):
        return None
    known = (
        isinstance(said, dict)
        and isinstance(said.get("workers"), list)
        and said.get("worker") in range(1, len(said["workers"]))
        and isinstance(said.get("versions"), dict)
        and isinstance(said.get("spec"), str | None)
    )
    return said if known else None


def _objection(said: dict[str, Any], cluster: Cluster, agreement: Agreement, versions: dict[str, str]) -> str:
    """Why a worker cannot take part; empty where it can."""
    if said["workers"] != list(cluster.workers):
        lists = (", ".join(map(str, workers)) for workers in (said["workers"], cluster.workers))
        return (
            f"Worker {said['worker']} and worker 0 cannot train together: their TF_CONFIG names the workers"
            f" {' and '.join(lists)}; give both the same list."
        )
    theirs = said["versions"]
    differing = [name for name in versions if theirs.get(name) != versions[name]]
    if differing:
        words = ", ".join(f"{name} {theirs.get(name) or 'missing'} and {versions[name]}" for name in differing)
        return (
            f"Worker {said['worker']} and worker 0 cannot train together: they have {words}; install the same versions."
        )
    wanted, ours = (text and _without_initial(text) for text in (said["spec"], agreement.spec))
    if wanted is not None and wanted != ours:
        lines = zip(wanted, ours, strict=False)
        theirs, ours = next((pair for pair in lines if pair[0] != pair[1]), ("another length", ""))
        return (
            f"Worker {said['worker']} and worker 0 cannot train together: one would train {theirs!r} and the other"
            f" {ours!r}; give both the same command."
        )
    return ""


def _without_initial(spec: str) -> list[str]:
    """The lines of a specification without the weights to start from: worker 0 sends them, wherever they lie."""
    return [line for line in spec.splitlines() if not line.startswith("init_from:")]


def _others(cluster: Cluster) -> range:
    return range(1, len(cluster.workers))


def _listen(address: str) -> socket.socket:
    host, port = _address(address)
    del host  # the name by which others reach this machine; it listens wherever they come from
    try:
        return socket.create_server(("127.0.0.1" if address.startswith("127.") else "", port), reuse_port=False)
    except OSError as error:
        raise InvalidOption(
            f"Worker 0 cannot listen at {address}: {error.strerror}; if another worker has task.index 0 too, give it"
            " its own, else choose another port."
        ) from None


def _address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
