"""A viewer's socket. Nothing here waits: what does not fit now is kept, and the caller tries again later.

A socket whose viewer is gone raises OSError."""

import logging
import socket
import struct
from collections.abc import Callable

from consumer.viewer import Viewer

logger = logging.getLogger(__name__)

SOCKET_BYTES = 64 << 10
VANISHED_MS = 30_000  # a machine that went to sleep acknowledges nothing; TCP alone would wait 15 minutes
RESET = struct.pack("ii", 1, 0)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Client:
    def __init__(
        self, sock: socket.socket, chunked: bool, viewer: Viewer, clock: Callable[[], float]
    ) -> None:
        """The kernel's own buffer is kept small: it would hide a viewer that does not read for long."""
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        if sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_MS)
        self.sock = sock
        self.chunked = chunked
        self.viewer = viewer
        self._clock = clock
        self._rest = memoryview(b"")
        self.progress = clock()

    def send(self, data: bytes) -> bool:
        """Of its own; framed here. True when all of it is sent."""
        return self.send_framed(chunk(data) if self.chunked else data)

    def send_framed(self, data: bytes) -> bool:
        sent = self._send(data)
        if sent == len(data):
            return True
        self._rest = memoryview(data)[sent:]
        self.progress = self._clock()
        return False

    def send_rest(self) -> bool:
        if sent := self._send(self._rest):
            self._rest = self._rest[sent:]
            self.progress = self._clock()
        return not self._rest

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def has_left(self) -> bool:
        """A viewer has nothing to say after its request: what comes is thrown away, an end is an end."""
        try:
            return not self.sock.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def say_goodbye(self) -> None:
        """The empty chunk: the browser sees an end and comes back, not a broken connection."""
        try:
            if self.chunked and not self._rest:
                self.sock.send(b"0\r\n\r\n")
        except OSError as exc:
            logger.debug("A viewer left first: %s", exc)

    def reset(self) -> None:
        """What the kernel still holds for one who does not read is freed as well."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
