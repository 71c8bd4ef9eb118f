"""A viewer's socket. Nothing here waits: bytes that do not fit now are kept, and the caller tries again later.

Sending raises OSError when the viewer is gone."""

import logging
import socket
import struct
from collections.abc import Callable

from consumer.fanout.viewer import Viewer

logger = logging.getLogger(__name__)

SEND_BUFFER_BYTES = 64 << 10
USER_TIMEOUT_MS = 30_000  # a sleeping machine acknowledges nothing; TCP alone would wait for 15 minutes
LINGER_RESET = struct.pack("ii", 1, 0)


def chunk(data: bytes) -> bytes:
    """Encode data as one HTTP/1.1 chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Client:
    """A non-blocking socket with the unsent rest of one write, and the viewer it belongs to."""

    def __init__(
        self, sock: socket.socket, chunked: bool, viewer: Viewer, clock: Callable[[], float]
    ) -> None:
        """Take the socket over. The kernel's buffer is kept small: it would hide for long that nobody reads."""
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        self.sock = sock
        self.chunked = chunked
        self.viewer = viewer
        self._clock = clock
        self._rest = memoryview(b"")
        self.progress_at = clock()

    def send(self, data: bytes) -> bool:
        """Send bytes meant for this client only, chunk-encoded if needed. Return whether all were sent."""
        return self.send_framed(chunk(data) if self.chunked else data)

    def send_framed(self, data: bytes) -> bool:
        """Send bytes that are framed already. Return whether all were sent."""
        sent = self._send(data)
        if sent:
            self.progress_at = self._clock()
        if sent == len(data):
            return True
        self._rest = memoryview(data)[sent:]
        return False

    @property
    def has_rest(self) -> bool:
        """Whether a part of the last write is still unsent."""
        return bool(self._rest)

    def send_rest(self) -> bool:
        """Send what was left over. Return whether nothing is left."""
        if not self._rest:
            return True
        if sent := self._send(self._rest):
            self._rest = self._rest[sent:]
            self.progress_at = self._clock()
        return not self._rest

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def is_disconnected(self) -> bool:
        """Return whether the viewer has closed the connection. What it sends after its request is ignored."""
        try:
            return not self.sock.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def send_last_chunk(self) -> None:
        """Send the empty chunk, so that the browser sees an orderly end and not a broken connection."""
        try:
            if self.chunked and not self._rest:
                self.sock.send(b"0\r\n\r\n")
        except OSError as exc:
            logger.debug("A viewer left before the end: %s", exc)

    def reset_on_close(self) -> None:
        """Make the close a reset, which also frees what the kernel still holds for a viewer that does not read."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
