"""Messages between workers: a JSON value and bytes behind it, over a plain socket, each with a deadline."""

import json
import socket
import struct
import time
from typing import Any

LONGEST_HEADER = 2**24  # bytes; more is no message of ours
_LENGTH = struct.Struct("!QQ")


def send(connection: socket.socket, header: dict[str, Any], body: bytes = b"") -> None:
    """Send a message.

    Raises:
        OSError: It could not be sent whole within the socket's time limit.
    """
    text = json.dumps(header).encode()
    connection.sendall(_LENGTH.pack(len(text), len(body)) + text + body)


def receive(connection: socket.socket, deadline: float, longest_body: int = 0) -> tuple[Any, bytes]:
    """The JSON value and the bytes of a message.

    Raises:
        OSError: It did not arrive whole before the deadline.
        ValueError: It is longer than may be, or no message of ours.
    """
    lengths = _LENGTH.unpack(_exactly(connection, _LENGTH.size, deadline))
    if lengths[0] > LONGEST_HEADER or lengths[1] > longest_body:
        raise ValueError(f"a message of {sum(lengths):,} bytes is no worker's")
    header, body = (_exactly(connection, length, deadline) for length in lengths)
    return json.loads(header), body


def _exactly(connection: socket.socket, count: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        connection.settimeout(max(deadline - time.monotonic(), 0.01))
        part = connection.recv(min(count - len(parts), 2**20))
        if not part:
            raise OSError("the other side has hung up")
        parts += part
    return bytes(parts)
