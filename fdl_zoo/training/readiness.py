"""The workers that came to the meeting, until TensorFlow has connected them: who is lost meanwhile is named.

TensorFlow would wait for such a worker without end, and answer no signal while it waits.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from fdl_zoo.errors import InvalidData, TrainingFailed
from fdl_zoo.spec import EntryReference
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.training.cluster import Cluster
from fdl_zoo.training.guard import guarded
from fdl_zoo.training.messages import receive, send

PATIENCE = 120.0  # seconds; loading TensorFlow takes a few, and many where a machine is busy


@dataclass
class Readiness:
    """Connections between workers that have met.

    Args:
        cluster: Who all are.
        connections: To each other worker by its index, as worker 0; else to worker 0.
    """

    cluster: Cluster
    connections: dict[int, socket.socket]

    @contextmanager
    def connecting(self, folder: RunFolder, uri: str | None, patience: float = PATIENCE) -> Iterator[None]:
        """Wait until all are ready to train; in this block TensorFlow connects them. Hangs up at its end.

        Args:
            folder: The run's, where it is recorded who was lost in this block; this process then ends too.
            uri: The tracking store's address; None without tracking.
            patience: Seconds to wait for the others.

        Raises:
            TrainingFailed: One of them has ended before the block, or is not ready in time.
        """
        with ExitStack() as stack:
            for connection in self.connections.values():
                stack.enter_context(connection)
            self._wait(time.monotonic() + patience)
            others = {self._name(index): each for index, each in self.connections.items()}
            with guarded(others, folder, uri, temporary=not self.cluster.is_chief):
                yield
            for index in self.connections:
                with suppress(TrainingFailed):  # from now on TensorFlow tells who is lost
                    self._tell(index)

    def require_same(self, digests: Sequence[Sequence[int]], data: EntryReference) -> None:
        """Refuse data that differ: workers would train on a mixture, or wait for each other without end.

        Args:
            digests: Of the data of each worker.
            data: The dataset's name and options.

        Raises:
            InvalidData: They are not all the same.
        """
        differing = [index for index, digest in enumerate(digests) if digest != digests[0]]
        if differing:
            path = data.options.get("path")
            raise InvalidData(
                f"{' and '.join(map(self._name, differing))} cannot train together with worker 0"
                f" ({self.cluster.workers[0]}): {data.name}{f' ({path})' if path else ''} holds other data there; give"
                " all workers the same data."
            )

    def _wait(self, deadline: float) -> None:
        if self.cluster.is_chief:
            for index in self.connections:
                self._hear(index, deadline)
            for index in self.connections:
                self._tell(index)
        else:
            self._tell(0)
            self._hear(0, deadline)

    def _tell(self, index: int) -> None:
        try:
            send(self.connections[index], {"ready": True})
        except OSError:
            raise self._lost(index) from None

    def _hear(self, index: int, deadline: float) -> None:
        try:
            receive(self.connections[index], deadline)
        except TimeoutError:
            raise TrainingFailed(
                f"{self._name(index)} came, and was not ready to train in time: see what it"
                " says, and start all of them again."
            ) from None
        except (OSError, ValueError):
            raise self._lost(index) from None

    def _lost(self, index: int) -> TrainingFailed:
        return TrainingFailed(
            f"{self._name(index)} came, and ended before training began: see what it says, and start all of them again."
        )

    def _name(self, index: int) -> str:
        return f"Worker {index} ({self.cluster.workers[index]})"
