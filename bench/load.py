"""A load client for HTTP: one thread, one epoll, N connections, so that it takes little of the machine from the server.

Closed loop: each connection sends its next request when the last is answered; the rate is what the server can do.
Open loop: requests are due at a fixed rate, whatever the server does, and each latency counts from the moment its
request was due, not from when a connection was free to send it (the rule of wrk2): a server that stalls cannot slow
down the measurement of its own stall.
"""

import multiprocessing
import queue
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

END_OF_HEAD = b"\r\n\r\n"
CONTENT_LENGTH = b"content-length:"
GRACE_S = 30.0


class UnexpectedAnswer(Exception):
    """The server answered something else than it should."""


def post(path: str, body: bytes, port: int) -> bytes:
    """Return a POST request, ready to be sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class _Connection:
    """since: from when the latency of the request under way counts."""

    socket: socket.socket
    since: float = 0.0
    received: bytes = b""

    def send(self, request: "Request", since: float) -> None:
        self.since, self.received = since, b""
        self.socket.sendall(request if isinstance(request, bytes) else request(since))

    def receive(self, expected: bytes) -> bool:
        """Take what has come; return whether the answer is complete. Raises UnexpectedAnswer."""
        part = self.socket.recv(65536)
        self.received += part
        head, found, body = self.received.partition(END_OF_HEAD)
        if not part or (found and not head.startswith(expected)):
            raise UnexpectedAnswer(self.received[:500].decode(errors="replace"))
        return bool(found) and len(body) >= _content_length(head)


def _content_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.index(CONTENT_LENGTH) + len(CONTENT_LENGTH)
    return int(lower[at : at + 12].partition(b"\r")[0])


Request = bytes | Callable[[float], bytes]


def run(
    port: int,
    request: Request,
    connections: int,
    seconds: float,
    rate: float | None = None,
    status: int = 201,
) -> list[float]:
    """Send requests for `seconds`; return the latency of each in ms.

    request: the request, or what makes it from the moment it is due (time.monotonic()). rate: requests/s in all; None
    is closed loop.

    Raises UnexpectedAnswer when an answer has another status, TimeoutError when answers are missing at the end.
    """
    expected = b"HTTP/1.1 %d " % status
    free = deque(
        _Connection(socket.create_connection(("127.0.0.1", port), timeout=GRACE_S))
        for _ in range(connections)
    )
    by_fd = {each.socket.fileno(): each for each in free}
    poller = select.epoll()
    for each in free:
        each.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poller.register(each.socket, select.EPOLLIN)
    latencies: list[float] = []
    begun = time.monotonic()
    end, sent, total = begun + seconds, 0, int(rate * seconds) if rate else 0
    try:
        while True:
            now = time.monotonic()
            if rate is None:
                while free and now < end:
                    free.pop().send(request, now)
                pause = GRACE_S
            else:
                while free and sent < total and (due := begun + sent / rate) <= now:
                    free.popleft().send(request, due)
                    sent += 1
                pause = max(0.0, begun + sent / rate - now) if free and sent < total else GRACE_S
            if len(free) == connections and (now >= end if rate is None else sent == total):
                return latencies
            if not (ready := poller.poll(pause)) and pause == GRACE_S:
                raise TimeoutError(f"{connections - len(free)} answers are missing.")
            now = time.monotonic()
            for fd, _ in ready:
                connection = by_fd[fd]
                if connection.receive(expected):
                    latencies.append((now - connection.since) * 1000)
                    if rate is None and now < end:
                        connection.send(request, now)
                    else:
                        free.append(connection)
    finally:
        poller.close()
        for each in by_fd.values():
            each.socket.close()


def run_in_process(
    port: int,
    request: Request,
    connections: int,
    seconds: float,
    rate: float | None = None,
    status: int = 201,
) -> list[float]:
    """Do `run` in a process of its own. Raises RuntimeError when it failed there."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[float] | str] = context.Queue()
    process = context.Process(
        target=_report, args=(results, port, request, connections, seconds, rate, status)
    )
    process.start()
    try:
        result = results.get(timeout=seconds + 2 * GRACE_S)
    except queue.Empty:
        process.kill()
        raise TimeoutError("The load client has not ended.") from None
    process.join(GRACE_S)
    if isinstance(result, str):
        raise RuntimeError(result)
    return result


def _report(
    results: "multiprocessing.Queue[list[float] | str]",
    port: int,
    request: Request,
    connections: int,
    seconds: float,
    rate: float | None,
    status: int,
) -> None:
    try:
        results.put(run(port, request, connections, seconds, rate, status))
    except Exception as error:  # noqa: BLE001 - it is raised in the other process
        results.put(f"{type(error).__name__}: {error}")
