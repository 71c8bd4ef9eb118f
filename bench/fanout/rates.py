"""What an event costs and how late it comes, at rates that are offered whatever the server does."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.fanout.servers import Server, Variant, running
from bench.fanout.source import Source
from bench.fanout.viewers import Seen, Viewers

SETTLE_S = 0.5


@dataclass(frozen=True)
class Load:
    """rate: events a second. batch: how many of them come at once."""

    viewers: int
    rate: float
    batch: int = 1

    @classmethod
    def parse(cls, viewers: int, text: str) -> Self:
        """Return the load that a text like "100" or "1000/50" names. Raises ValueError."""
        rate, _, batch = text.partition("/")
        return cls(viewers, float(rate), int(batch or 1))

    def __str__(self) -> str:
        return f"{self.viewers:,} x {self.rate:,.0f}/s" + (f" in {self.batch}s" if self.batch > 1 else "")


@dataclass(frozen=True)
class Measured:
    """One round. cpu_us: of the server, by event that was delivered. lost: what viewers did not get."""

    cpu_us: float
    p50_ms: float
    p99_ms: float
    lost: float
    published_per_s: float


def measure(variant: Variant, load: Load, seconds: float, program: Path) -> Measured:
    """Measure a server under one load, once."""
    with running(variant) as server, Viewers(program, server.port, load.viewers) as viewers:
        threading.Event().wait(SETTLE_S)
        before = server.cpu_s
        seen, published = offer(server, viewers, load, seconds)
        cpu_us = (server.cpu_s - before) / max(1, seen.events) * 1e6
    return Measured(
        cpu_us, seen.p50_ms, seen.p99_ms, seen.missing + seen.told + seen.behind, published / seconds
    )


def offer(server: Server, viewers: Viewers, load: Load, seconds: float, first: int = 1) -> tuple[Seen, int]:
    """Publish for that long; return what was seen, and how many events were published."""
    source = Source(server.open_feed, load.rate, load.batch, first)
    source.start()
    threading.Event().wait(seconds)
    last = source.stop()
    return viewers.finish(last), source.published
