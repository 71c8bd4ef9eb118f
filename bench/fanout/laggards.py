"""Viewers that do not read for a while: what the server and the kernel keep for them, and whether they get it all."""

import threading
from dataclasses import dataclass
from pathlib import Path

from bench.fanout.rates import SETTLE_S
from bench.fanout.reconnect import GRACE_S
from bench.fanout.servers import Server, Variant, running
from bench.fanout.source import Source
from bench.fanout.viewers import Seen, Viewers

RECEIVE_BUFFER = 16 << 10  # so that they lag soon
LOOK_S = 0.25


@dataclass(frozen=True)
class Lagged:
    """peak_mib: of the server's PSS. sockets_mib: of the kernel's buffers, those of the viewers' own ends included."""

    peak_mib: float
    sockets_mib: float
    seen: Seen


def lag(variant: Variant, count: int, rate: float, seconds: float, program: Path) -> Lagged:
    """Let nobody read for `seconds` while events flow, and then all at once."""
    looker = threading.Event()
    with running(variant) as server, Viewers(program, server.port, count, 1, RECEIVE_BUFFER) as viewers:
        sockets = _sockets_bytes()
        source = Source(server.open_feed, rate)
        viewers.pause()
        source.start()
        peak, kernel = _watch(server, looker, seconds)
        viewers.resume()
        while_reading, _ = _watch(server, looker, SETTLE_S)
        seen = viewers.finish(source.stop(), GRACE_S)
    return Lagged(max(peak, while_reading) / (1 << 20), (kernel - sockets) / (1 << 20), seen)


def _watch(server: Server, looker: threading.Event, seconds: float) -> tuple[int, int]:
    """Return the most of the server's PSS and of the sockets' memory."""
    peak = kernel = 0
    for _ in range(int(seconds / LOOK_S)):
        peak, kernel = max(peak, server.pss_bytes), max(kernel, _sockets_bytes())
        looker.wait(LOOK_S)
    return peak, kernel


def _sockets_bytes() -> int:
    """Return what the kernel's TCP buffers take, of all sockets of the machine."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * 4096
    return 0
