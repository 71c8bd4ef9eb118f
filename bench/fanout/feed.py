"""How events get into a server: over a Unix socket, a line each; or in a POST, as nchan takes them."""

import http.client
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Feed(Protocol):
    """An open way into a server."""

    def publish(self, events: Sequence[bytes]) -> None:
        """Hand events over, all at once."""
        ...

    def close(self) -> None: ...


class LineFeed:
    """Sends each event as a line."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))

    def publish(self, events: Sequence[bytes]) -> None:
        """Send the events in one piece."""
        self._socket.sendall(b"".join(event + b"\n" for event in events))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class PostFeed:
    """Sends what comes at once as one message, which costs nchan least, and waits for the answer."""

    def __init__(self, port: int, path: str) -> None:
        self._path = path
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def publish(self, events: Sequence[bytes]) -> None:
        """Post the events. Raises RuntimeError when they are refused."""
        self._connection.request("POST", self._path, b"\n".join(events))
        answer = self._connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"A message was refused: {answer.status}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
