"""The workers that came to the meeting, until each has loaded TensorFlow: who is lost meanwhile is named.

TensorFlow would wait for such a worker without end, and answer no signal while it waits.
"""

import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass

from fdl_zoo.errors import TrainingFailed
from fdl_zoo.training.cluster import Cluster
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

    def wait(self, patience: float = PATIENCE) -> None:
        """Say that this worker is ready to train, and wait until all are; hangs up.

        Raises:
            TrainingFailed: One of them has ended, or is not ready in time.
        """
        deadline = time.monotonic() + patience
        with ExitStack() as stack:
            for connection in self.connections.values():
                stack.enter_context(connection)
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
                f"Worker {index} ({self.cluster.workers[index]}) came, and was not ready to train in time: see what it"
                " says, and start all of them again."
            ) from None
        except (OSError, ValueError):
            raise self._lost(index) from None

    def _lost(self, index: int) -> TrainingFailed:
        return TrainingFailed(
            f"Worker {index} ({self.cluster.workers[index]}) came, and ended before training began: see what it says,"
            " and start all of them again."
        )
