"""gunicorn's threaded worker, except that a thread is given to a connection only once its request's head is there.

Stock gthread hands each new connection to a thread, which waits up to 5 s for the first byte and without end for
the rest of the head; and it closes a connection in its main loop, where it waits up to 2 s for the client to close
too. Eight idle connections hold all eight threads, and clients that never close hold everything, open streams
included. Here the main loop only looks (MSG_PEEK) whether the head is complete, and an old connection lingers in
the poller instead of in a call. Plain HTTP only; with TLS in gunicorn it behaves as stock.

It relies on gunicorn's internals, so gunicorn is pinned and tests/integration/consumer holds the two together. The
plain fallback is `worker_class = "gthread"`.
"""

import errno
import selectors
import socket
import time
from collections import deque
from functools import partial
from typing import Any

from gunicorn.util import close as close_socket
from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_S = 5.0
LINGER_S = 2.0
RECHECK_S = 0.05
READ_BODY_S = 0.01
PEEK_BYTES = 64 << 10
MAX_LINGERING = 1000


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
        if self.cfg.is_ssl or (conn.initialized and conn.parser.unreader.buf.getvalue()):
            super().enqueue_req(conn)
        elif (complete := _head_is_complete(conn.sock)) is None:
            self.nr_conns -= 1
            close_socket(conn.sock)
        elif complete:
            conn.data_ready = True
            super().enqueue_req(conn)
        else:
            conn.timeout = time.monotonic() + HEAD_S
            self._incomplete.append(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events; while heads are incomplete, only as long as until the next look."""
        super().wait_for_and_dispatch_events(min(timeout, RECHECK_S) if self._incomplete else timeout)
        self._recheck_heads()
        self._close_lingering()

    def _recheck_heads(self) -> None:
        now = time.monotonic()
        for _ in range(len(self._incomplete)):
            conn = self._incomplete.popleft()
            complete = _head_is_complete(conn.sock)
            if complete:
                conn.data_ready = True
                super().enqueue_req(conn)
            elif complete is None or now > conn.timeout:
                self.nr_conns -= 1
                close_socket(conn.sock)
            else:
                self._incomplete.append(conn)

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


def _head_is_complete(sock: socket.socket) -> bool | None:
    """Return whether a request's head has arrived; None when the client is gone."""
    sock.setblocking(False)
    try:
        data = sock.recv(PEEK_BYTES, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return None
    if not data:
        return None
    return b"\r\n\r\n" in data or len(data) == PEEK_BYTES


def _drain(sock: socket.socket) -> bool:
    """Throw away what the client still sends; return whether it may send more."""
    try:
        return bool(sock.recv(4096))
    except BlockingIOError:
        return True
    except OSError:
        return False
