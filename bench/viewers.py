"""Browsers that look at a stream: one process, one epoll, N connections.

All count the events that they get. Some also read from each event when its order was due (`DUE` in its description, in
seconds of the machine's monotonic clock) and note how long after that it came.
"""

import multiprocessing
import queue
import re
import select
import socket
import time
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event as ProcessEvent

MARK = b'"customer_name"'
DUE = re.compile(rb"due ([0-9]+\.[0-9]+)")
SAMPLED = 10
OVERLAP = 64
START_S = 60.0


@dataclass(frozen=True)
class Seen:
    """How many events all viewers got, the fewest that one got, and the sampled latencies in ms."""

    events: int
    fewest: int
    latencies_ms: list[float]


@dataclass
class _Viewer:
    """tail: the end of what was received, which may hold the beginning of a mark."""

    socket: socket.socket
    is_sampled: bool
    count: int = 0
    tail: bytes = b""
    latencies: list[float] = field(default_factory=list)

    def receive(self) -> bool:
        """Take what has come; return whether the stream goes on."""
        part = self.socket.recv(1 << 20)
        now = time.monotonic()
        data = self.tail + part
        self.count += data.count(MARK) - self.tail.count(MARK)
        if self.is_sampled:
            known = len(self.tail)
            self.latencies += [
                (now - float(due[1])) * 1000 for due in DUE.finditer(data) if due.end() > known
            ]
        self.tail = data[-OVERLAP:]
        return bool(part)


def watch(port: int, count: int, ready: ProcessEvent, stop: ProcessEvent) -> Seen:
    """Open the streams, set `ready` when all of them have begun, and read until `stop` is set."""
    poller, viewers = select.epoll(), dict[int, _Viewer]()
    for number in range(count):
        connection = socket.create_connection(("127.0.0.1", port), timeout=START_S)
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"Stream {number} was not opened.")
        viewers[connection.fileno()] = _Viewer(connection, number % max(1, count // SAMPLED) == 0)
        poller.register(connection, select.EPOLLIN)
    ready.set()
    while not stop.is_set():
        for fd, _ in poller.poll(0.2):
            if not viewers[fd].receive():
                raise RuntimeError("A stream ended.")
    counts = [viewer.count for viewer in viewers.values()]
    for viewer in viewers.values():
        viewer.socket.close()
    return Seen(sum(counts), min(counts), [ms for viewer in viewers.values() for ms in viewer.latencies])


class Audience:
    """Viewers in a process of their own."""

    def __init__(self, port: int, count: int):
        context = multiprocessing.get_context("spawn")
        self._ready, self._stop = context.Event(), context.Event()
        self._results: multiprocessing.Queue[Seen | str] = context.Queue()
        self._process = context.Process(
            target=_report, args=(self._results, port, count, self._ready, self._stop)
        )
        self._process.start()
        if not self._ready.wait(START_S):
            self._process.kill()
            raise TimeoutError("The streams did not begin.")

    def leave(self) -> Seen:
        """Close the streams; return what was seen. Raises RuntimeError when a stream ended before."""
        self._stop.set()
        try:
            seen = self._results.get(timeout=START_S)
        except queue.Empty:
            raise TimeoutError("The viewers did not end.") from None
        finally:
            self._process.join(5)
            self._process.kill()
        if isinstance(seen, str):
            raise RuntimeError(seen)
        return seen


def _report(
    results: "multiprocessing.Queue[Seen | str]",
    port: int,
    count: int,
    ready: ProcessEvent,
    stop: ProcessEvent,
) -> None:
    try:
        results.put(watch(port, count, ready, stop))
    except Exception as error:  # noqa: BLE001 - it is raised in the other process
        results.put(f"{type(error).__name__}: {error}")
