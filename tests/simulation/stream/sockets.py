"""Sockets and a selector in memory: partial writes, full buffers, half-close and reset."""

import selectors
import socket
from typing import Any

from tests.simulation.stream.scheduler import Scheduler


class Connection:
    """What lies between a replica and a viewer. room: how many bytes fit until the viewer reads."""

    def __init__(self, room: int, chunked: bool) -> None:
        self.room = room
        self.chunked = chunked
        self.buffer = bytearray()
        self.is_closed_by_server = False
        self.is_half_closed = False  # the viewer sends no more, but reads
        self.is_reset = False
        self.is_admitted = False
        self.waited = 0
        self.total = 0


class FakeSocket:
    """The server's end of a connection."""

    family = socket.AF_UNIX

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def send(self, data: bytes | memoryview) -> int:
        connection = self.connection
        if connection.is_reset or connection.is_closed_by_server:
            raise BrokenPipeError
        fits = min(len(data), connection.room - len(connection.buffer))
        if fits <= 0:
            raise BlockingIOError
        connection.buffer += data[:fits]
        connection.total += fits
        return fits

    def recv(self, _size: int) -> bytes:
        if self.connection.is_reset:
            raise ConnectionResetError
        if self.connection.is_half_closed:
            return b""
        raise BlockingIOError

    def setblocking(self, _flag: bool) -> None: ...
    def settimeout(self, _seconds: float | None) -> None: ...
    def setsockopt(self, *_: object) -> None: ...

    def shutdown(self, _how: int) -> None:
        self.connection.is_closed_by_server = True

    def close(self) -> None:
        self.connection.is_closed_by_server = True

    def fileno(self) -> int:
        return id(self)


class Pipe:
    """The two ends of the fan-out's wake-up pipe."""

    def __init__(self) -> None:
        self.pending = 0

    def send(self, data: bytes) -> int:
        self.pending += len(data)
        return len(data)

    def recv(self, _size: int) -> bytes:
        data, self.pending = b"\0" * self.pending, 0
        return data

    def setblocking(self, _flag: bool) -> None: ...
    def close(self) -> None: ...


class FakeSelector:
    """selectors.DefaultSelector over the fakes above."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, sock: Any, events: int, data: Any = None) -> None:
        if sock in self._keys:
            raise KeyError("registered twice")
        if isinstance(sock, FakeSocket):
            sock.connection.is_admitted = True
        self._keys[sock] = selectors.SelectorKey(sock, 0, events, data)

    def modify(self, sock: Any, events: int, data: Any = None) -> None:
        self._keys[sock] = self._keys[sock]._replace(events=events, data=data)

    def unregister(self, sock: Any) -> None:
        del self._keys[sock]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._scheduler.pause("selecting")
        self._scheduler.wait(lambda: any(map(_mask, self._keys.values())), timeout, "the selector")
        return [(key, mask) for key in list(self._keys.values()) if (mask := _mask(key))]

    def close(self) -> None:
        self._keys.clear()


def _mask(key: selectors.SelectorKey) -> int:
    sock: Any = key.fileobj
    if isinstance(sock, Pipe):
        return selectors.EVENT_READ if sock.pending else 0
    connection = sock.connection
    mask = 0
    if connection.is_reset or connection.is_half_closed:
        mask |= selectors.EVENT_READ
    if connection.is_reset or len(connection.buffer) < connection.room:
        mask |= selectors.EVENT_WRITE
    return int(mask & key.events)
