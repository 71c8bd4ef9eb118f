"""gunicorn's threaded worker, except that a thread is given to a connection only once its request's head is there.

Stock gthread hands each new connection to a thread, which waits up to 5 s for the first byte and without end for
the rest of the head; and it closes a connection in its main loop, where it waits up to 2 s for the client to close
too. Eight idle connections hold all eight threads, and clients that never close hold everything. Here the main loop
only looks (MSG_PEEK) whether the head is complete, and an old connection lingers in the poller instead of in a call.
Plain HTTP only; with TLS in gunicorn it behaves as stock.

The consumer has the same (consumer_service/head_first_worker.py). It relies on gunicorn's internals, so gunicorn is
pinned. The plain fallback is `worker_class = "gthread"`.
"""

import errno
import selectors
import socket
import time
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Any

from gunicorn.util import close as close_socket
from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_S = 5.0
LINGER_S = 2.0
RECHECK_S = 0.05
READ_BODY_S = 0.01
MAX_HEAD_BYTES = 64 << 10
MAX_LINGERING = 1000
END_OF_HEAD = b"\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Head(Enum):
    """What has arrived of a request's head."""

    COMPLETE = auto()
    INCOMPLETE = auto()
    TOO_LARGE = auto()
    GONE = auto()


class Connection(TConn):
    """A connection whose close never waits."""

    worker: "HeadFirstWorker"

    def init(self) -> None:
        """Prepare for one request. Whatever is still read or written in the thread has an end."""
        super().init()
        self.sock.settimeout(HEAD_S)

    def close(self, graceful: bool = False) -> None:
        if graceful and not self.cfg.is_ssl:
            self.worker.linger(self)
        else:
            super().close(graceful)


class HeadFirstWorker(ThreadWorker):
    """A ThreadWorker that reads ahead before it spends a thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._incomplete: deque[Connection] = deque()
        self._lingering: deque[tuple[float, socket.socket]] = deque()

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection and wait for its head in the poller."""
        if self.cfg.is_ssl:
            super().accept(listener)
            return
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        conn = Connection(self.cfg, sock, address, listener.getsockname())
        conn.worker = self
        conn.timeout = time.monotonic() + HEAD_S
        self.pending_conns.append(conn)
        self.poller.register(sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: Connection) -> None:
        """Give the connection to a thread if its head is complete, else look again later."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
        else:
            conn.timeout = time.monotonic() + HEAD_S
            self._look_at(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events; while heads are incomplete, only as long as until the next look."""
        super().wait_for_and_dispatch_events(min(timeout, RECHECK_S) if self._incomplete else timeout)
        self._recheck_heads()
        self._close_lingering()

    def _recheck_heads(self) -> None:
        for _ in range(len(self._incomplete)):
            self._look_at(self._incomplete.popleft())

    def _look_at(self, conn: Connection) -> None:
        head = _look_for_head(conn)
        if head is Head.COMPLETE:
            conn.data_ready = True
            super().enqueue_req(conn)
        elif head is Head.INCOMPLETE and time.monotonic() <= conn.timeout:
            self._incomplete.append(conn)
        else:
            self.nr_conns -= 1
            if head is Head.TOO_LARGE:
                self._refuse(conn)
            else:
                close_socket(conn.sock)

    def _refuse(self, conn: Connection) -> None:
        with suppress(OSError):  # it has left
            conn.sock.send(TOO_LARGE)
        self.linger(conn)

    def linger(self, conn: Connection) -> None:
        """Close as RFC 9112, section 9.6 asks: half at once, and the rest when the client has closed too."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            close_socket(conn.sock)
            return
        if not _drain(conn.sock):
            close_socket(conn.sock)
            return
        self._lingering.append((time.monotonic() + LINGER_S, conn.sock))
        if len(self._lingering) > MAX_LINGERING:
            close_socket(self._lingering.popleft()[1])

    def _close_lingering(self) -> None:
        now = time.monotonic()
        for _ in range(len(self._lingering)):
            deadline, sock = self._lingering.popleft()
            if now > deadline or not _drain(sock):
                close_socket(sock)
            else:
                self._lingering.append((deadline, sock))

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Keep the connection only when the body was read: a thread does not wait for the rest of one."""
        return bool(keepalive and conn.parser.finish_body(deadline=time.monotonic() + READ_BODY_S))


def _look_for_head(conn: Connection) -> Head:
    """Look for a request's head in what was read with the request before and in the socket.

    One that is too large to be looked at ahead is refused: a thread would wait for the rest of it without end."""
    data: bytes = conn.parser.unreader.buf.getvalue() if conn.initialized else b""
    if END_OF_HEAD in data:
        return Head.COMPLETE
    conn.sock.setblocking(False)
    try:
        peeked = conn.sock.recv(MAX_HEAD_BYTES, socket.MSG_PEEK)
    except BlockingIOError:
        return Head.INCOMPLETE
    except OSError:
        return Head.GONE
    if not peeked:
        return Head.GONE
    data += peeked
    if END_OF_HEAD in data:
        return Head.COMPLETE
    return Head.TOO_LARGE if len(data) >= MAX_HEAD_BYTES else Head.INCOMPLETE


def _drain(sock: socket.socket) -> bool:
    """Throw away what the client still sends; return whether it may send more."""
    try:
        return bool(sock.recv(4096))
    except BlockingIOError:
        return True
    except OSError:
        return False
