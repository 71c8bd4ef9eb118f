"""gunicorn's gevent worker without monkey patching: connections wait on an event loop, what blocks runs in threads.

A thread for each request costs the producer more than all of its own work: each is woken twice, for its connection and
for the commit of its group, and all of them want one interpreter lock. On the loop a waiting request is a greenlet.
Nothing is patched, so every lock, client and thread of the process is what it says it is: librdkafka's threads call
Python as before, and psycopg2 blocks a real thread. Two rules follow:

- The fast path (producer/web/fast_path.py) is called on the loop. It must not block: the one thing it waits for, the
  commit of its group, waits by `LoopWaits`.
- Every other request runs in a thread, as in gthread, with its body read before and its response sent after.

It relies on gunicorn's internals, so gunicorn is pinned and tests/integration/producer holds the two together. The
plain fallback is `worker_class = "gthread"`.
"""

import contextvars
import errno
import io
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

import gevent
from gevent import socket
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.threadpool import ThreadPool
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

T = TypeVar("T")
Environ = dict[str, Any]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]

GATHER_S = 0.005
TURN_BYTES = 16 << 10
RECEIVE_BYTES = 64 << 10
PAUSE_S = 0.001  # with 0, gevent goes on without looking at any other connection
BODY_S = 10.0
SEND_S = 30.0
LARGE_BYTES = 64 << 10
LARGE_AT_ONCE = 32
COMMIT_THREADS = 2
NOTIFY_S = 1.0
STOP_POLL_S = 0.05
SERVICES_STOP_S = 6.0  # of the graceful timeout: the flush to Kafka, after the last connection


def call_in_thread(threads: ThreadPool, call: Callable[[], T]) -> T:
    """Return what it returns, or raise what it raises, in a thread. gevent would print each error to stderr as well."""

    def outcome() -> tuple[T | None, BaseException | None]:
        try:
            return call(), None
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller
            return None, error

    result: T
    result, error = threads.apply(outcome)
    if error is not None:
        raise error
    return result


class CallsToLoop:
    """What other threads have the loop call.

    gevent's own way, which Event.set takes when another thread calls it, adds to the loop's count of what it waits for
    while the loop itself, without the interpreter lock, subtracts a timer that ran out. Now and then one of the two is
    lost, and at the latest when the count is zero the loop raises LoopExit in the middle of serving. The watcher here
    is started once, and waking it counts nothing.
    """

    def __init__(self) -> None:
        """Belong to the loop of the current thread."""
        self._loop_thread = threading.get_ident()
        self._calls: deque[Callable[[], None]] = deque()  # each is of a waiting request: bounded as they are
        self._watcher = gevent.get_hub().loop.async_(ref=False)
        self._watcher.start(self._call)

    def is_on_loop(self) -> bool:
        """Return whether the current thread is the loop's."""
        return threading.get_ident() == self._loop_thread

    def add(self, call: Callable[[], None]) -> None:
        """Have it called; at once on the loop itself. It must not wait nor raise."""
        if self.is_on_loop():
            call()
        else:
            self._calls.append(call)
            self._watcher.send()

    def _call(self) -> None:
        while self._calls:
            self._calls.popleft()()


class LoopEvent:
    """An event that a greenlet waits for, and any thread may set."""

    def __init__(self, calls: CallsToLoop):
        self._calls, self._is_set, self._wakes = calls, False, Event()

    def set(self) -> None:
        """Wake who waits; it is set at once."""
        self._is_set = True
        self._calls.add(self._wakes.set)

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Let the others run until it is set, `timeout` seconds at most; return whether it is."""
        if not self._is_set:
            self._wakes.wait(timeout)
        return self._is_set


class LoopWaits:
    """How a request waits: on the loop by letting the others run, in a thread by blocking it."""

    def __init__(self) -> None:
        """Belong to the loop of the current thread."""
        self._calls = CallsToLoop()
        self._threads = ThreadPool(COMMIT_THREADS)

    def event(self) -> LoopEvent | threading.Event:
        """Return an event that the current request can wait for, and any thread may set."""
        return LoopEvent(self._calls) if self._calls.is_on_loop() else threading.Event()

    def run(self, blocking: Callable[[], T]) -> T:
        """Call it, in a thread of its own if this is the loop."""
        if not self._calls.is_on_loop():
            return blocking()
        return call_in_thread(self._threads, blocking)

    def let_ready_ones_go_first(self) -> None:
        """Go on when nothing else is ready on the loop, or after GATHER_S while it is never idle.

        Otherwise the loop would commit the first order of many that have arrived. A single one waits for nobody.
        """
        if self._calls.is_on_loop():
            with gevent.Timeout(GATHER_S, False):
                gevent.idle()


class InThreads:
    """An application whose requests run in threads; the loop gets each response whole."""

    def __init__(self, application: Wsgi, threads: int):
        self._application, self._threads = application, ThreadPool(threads)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Call the application in a thread. Requests that find none free wait for one, without blocking the loop."""
        context = contextvars.Context()
        return call_in_thread(self._threads, lambda: context.run(self._respond, environ, start_response))

    def _respond(self, environ: Environ, start_response: Any) -> list[bytes]:
        response = self._application(environ, start_response)
        try:
            return [b"".join(response)]
        finally:
            if (close := getattr(response, "close", None)) is not None:
                close()


class BodyFirst:
    """An application that is called once the request's body is there: a thread cannot read from the loop's socket.

    max_bytes: what the application refuses anyway. A body that is declared larger is not read.
    """

    def __init__(self, application: Wsgi, max_bytes: int):
        self._application, self._max_bytes = application, max_bytes
        self._large = BoundedSemaphore(LARGE_AT_ONCE)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Read the body and call the application; answer 408 when that takes longer than BODY_S.

        Only so many large bodies are in memory at once; the others stay in the kernel's buffers until it is their turn.
        """
        declared = environ.get("CONTENT_LENGTH")
        size = int(declared) if declared else 0
        if not size and "HTTP_TRANSFER_ENCODING" not in environ:
            return self._application(environ, start_response)
        if size > self._max_bytes:
            environ["wsgi.input"] = io.BytesIO()
            return self._application(environ, start_response)
        with ExitStack() as turn:
            try:
                with gevent.Timeout(BODY_S):
                    if not declared or size > LARGE_BYTES:
                        turn.enter_context(self._large)
                    body = environ["wsgi.input"].read(size if declared else self._max_bytes + 1)
            except gevent.Timeout:
                return _end(environ, start_response, "408 Request Timeout")
            if len(body) < size:  # the client has gone
                return _end(environ, start_response, "400 Bad Request")
            environ["wsgi.input"] = io.BytesIO(body)
            return self._application(environ, start_response)


def _end(environ: Environ, start_response: Any, status: str) -> Iterable[bytes]:
    """Answer, and end the connection: nobody knows where the next request begins."""
    environ["wsgi.input"].failed = True
    start_response(status, [("Content-Length", "0")])
    return []


class InTurns:
    """A connection that lets the others run after each TURN_BYTES that it has received.

    gevent waits only when there is nothing to receive: a client that sends without a pause would have the loop to
    itself, and no timeout would end that.
    """

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._received = 0

    def recv(self, size: int) -> bytes:
        data: bytes = self._connection.recv(min(size, RECEIVE_BYTES))
        self._received += len(data)
        if self._received >= TURN_BYTES:
            self._received = 0
            gevent.sleep(PAUSE_S)
        return data

    def __getattr__(self, name: str) -> Any:
        """Return what is the connection's own."""
        return getattr(self._connection, name)


class OneSend:
    """A connection that sends a response's head and body together, when it is whole."""

    def __init__(self, connection: InTurns):
        self._connection = connection
        self._parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """Keep the data until `flush`."""
        self._parts.append(data)

    def send(self, data: bytes) -> int:
        """Send at once: gunicorn's "100 Continue"."""
        sent: int = self._connection.send(data)
        return sent

    def shutdown(self, how: int) -> None:
        """Forget the unsent rest of a response that failed."""
        self._parts.clear()
        self._connection.shutdown(how)

    def close(self) -> None:
        self._connection.close()

    def flush(self) -> None:
        """Send what was kept. Raises BrokenPipeError when the client does not take it within SEND_S."""
        if not self._parts:
            return
        data = b"".join(self._parts)
        self._parts.clear()
        try:
            sent = self._connection.send(data)
            if sent < len(data):
                self._connection.sendall(data[sent:])
        except TimeoutError as error:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error


class LoopWorker(GeventWorker):
    """A worker of gunicorn: one event loop, and threads for what blocks."""

    def patch(self) -> None:
        """Give the listening sockets to the loop, and patch nothing."""
        self.sockets = [
            socket.socket(each.FAMILY, socket.SOCK_STREAM, fileno=each.sock.detach()) for each in self.sockets
        ]

    def load_wsgi(self) -> None:
        """Load the application, and part it into what runs on the loop and what runs in threads."""
        super().load_wsgi()
        app = self.wsgi
        app.extensions["services"].group_commit.waits = LoopWaits()
        fast_path = app.wsgi_app
        fast_path.otherwise = InThreads(fast_path.otherwise, self.cfg.threads)
        app.wsgi_app = BodyFirst(fast_path, app.config["MAX_CONTENT_LENGTH"])

    def handle(self, listener: Any, client: socket.socket, address: Any) -> None:
        """Serve a connection."""
        super().handle(listener, InTurns(client), address)

    def handle_request(self, listener_name: Any, request: Any, client: InTurns, address: Any) -> None:
        """Serve a request. StopIteration ends the connection.

        GeventWorker would go on with the next request when this one is ended before its answer, and the client would
        take the next one's answer for this one's.
        """
        connection = OneSend(client)
        client.settimeout(SEND_S)
        try:
            try:
                AsyncWorker.handle_request(self, listener_name, request, connection, address)
            finally:
                connection.flush()
        except (gevent.GreenletExit, SystemExit) as error:
            raise StopIteration from error

    def run(self) -> None:
        """Serve until gunicorn says stop; then end as soon as the last connection has, and in time for the services'
        own stop, in the middle of which gunicorn would kill us."""
        servers = [
            StreamServer(each, handle=partial(self.handle, each), spawn=Pool(self.worker_connections))
            for each in self.sockets
        ]
        for server in servers:
            server.start()
        next_notify = 0.0
        while self.alive:
            if time.monotonic() >= next_notify:
                self.notify()
                next_notify = time.monotonic() + NOTIFY_S
            gevent.sleep(STOP_POLL_S)
        for server in servers:
            server.close()
        deadline = time.monotonic() + max(0, self.cfg.graceful_timeout - SERVICES_STOP_S)
        while any(len(server.pool) for server in servers) and time.monotonic() < deadline:
            self.notify()
            gevent.sleep(STOP_POLL_S)
        for server in servers:
            server.stop(timeout=1)
