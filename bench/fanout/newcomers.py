"""How long a newcomer waits for its greeting while a crowd is sent much."""

import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.fanout.rates import SETTLE_S
from bench.fanout.servers import Variant, running
from bench.fanout.source import Source
from bench.fanout.viewers import Seen, Viewers
from bench.figures import percentile

REQUEST = b"GET /stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
NEWCOMERS = 50
INTERVAL_S = 0.1
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Welcomed:
    """The waits are infinite where no greeting came. published_per_s, seen: what the crowd was sent, and got."""

    p50_ms: float
    p99_ms: float
    published_per_s: float
    seen: Seen


def welcome(variant: Variant, count: int, rate: float, program: Path) -> Welcomed:
    """Let newcomers come one by one while events flow to the crowd.

    Raises RuntimeError when the server takes no events or no viewers any more."""
    with running(variant) as server, Viewers(program, server.port, count) as viewers:
        source, begun = Source(server.open_feed, rate), time.monotonic()
        source.start()
        threading.Event().wait(SETTLE_S)
        waits = _newcomers(server.port)
        published_per_s = source.published / (time.monotonic() - begun)
        seen = viewers.finish(source.stop())
    return Welcomed(percentile(waits, 50), percentile(waits, 99), published_per_s, seen)


def _newcomers(port: int) -> list[float]:
    """Return the waits, sorted; as many as there is time for."""
    waits: list[float] = []
    pause = threading.Event()
    end = time.monotonic() + NEWCOMERS * INTERVAL_S + PATIENCE_S
    while len(waits) < NEWCOMERS and time.monotonic() < end:
        waits.append(_wait_for_greeting(port))
        pause.wait(INTERVAL_S)
    return sorted(waits)


def _wait_for_greeting(port: int) -> float:
    """Return how long it took from the connect to the first byte of the stream, in ms."""
    begun, data = time.monotonic(), b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(REQUEST)
            while not data.partition(b"\r\n\r\n")[2]:
                part = connection.recv(65536)
                if not part:
                    return float("inf")
                data += part
    except TimeoutError:
        return float("inf")
    return (time.monotonic() - begun) * 1000
