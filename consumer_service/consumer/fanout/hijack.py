"""Takes a connection away from gunicorn, so that an open stream holds no worker thread.

Once the response's head is out, the connection is duplicated and gunicorn's socket is pointed at a pair whose
other end is closed: gunicorn finds its client gone, tidies up as it would for any other, and the thread is free.
(Detaching its socket works too, but then gunicorn subtracts the connection twice.) This relies on
`environ["gunicorn.socket"]`, so gunicorn is pinned and a test holds the two together."""

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any


def can_hijack(environ: dict[str, Any]) -> bool:
    """Return whether it is a plain HTTP/1 connection: TLS and HTTP/2 have state of their own in gunicorn."""
    return (
        type(environ.get("gunicorn.socket")) is socket.socket
        and str(environ.get("SERVER_PROTOCOL")).startswith("HTTP/1.")
        and environ.get("HTTP_VERSION") != "2"
    )


def hijack(environ: dict[str, Any], take: Callable[[socket.socket, bool], None]) -> Iterator[bytes]:
    """Return a response body that sends the head, and then hands the connection to `take(socket, chunked)`."""
    yield b""
    connection: socket.socket = environ["gunicorn.socket"]
    taken = socket.socket(fileno=os.dup(connection.fileno()))
    ours, theirs = socket.socketpair()
    theirs.close()
    os.dup2(ours.fileno(), connection.fileno(), inheritable=False)
    ours.close()
    try:
        take(taken, environ["SERVER_PROTOCOL"] != "HTTP/1.0")
    except OSError:  # the viewer left in this very moment, which gunicorn knows how to log
        taken.close()
        raise
