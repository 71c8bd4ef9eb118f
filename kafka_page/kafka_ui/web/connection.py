"""Whether the browser still waits for the answer."""

import select
import socket
from collections.abc import Callable

from flask import Request

WRITE_S = 10.0


def gone_check(request: Request) -> Callable[[], bool]:
    """Return a function that says whether the client has closed its connection; without a socket, never."""
    connection: socket.socket | None = request.environ.get("gunicorn.socket")

    def is_gone() -> bool:
        if connection is None:
            return False
        # Asked first whether there is anything: with a timeout, Python's recv would wait for it even with MSG_DONTWAIT.
        try:
            readable = select.poll()
            readable.register(connection, select.POLLIN)
            return bool(readable.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):  # it was reset, or is closed
            return True

    return is_gone


def limit_writes(request: Request) -> None:
    """Let no write to a client that does not read take longer than WRITE_S seconds."""
    connection: socket.socket | None = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(WRITE_S)
