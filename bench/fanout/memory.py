"""What a viewer takes of the server's memory."""

import threading
from collections.abc import Sequence
from pathlib import Path

from bench.fanout.servers import Server, Variant, running
from bench.fanout.source import Source
from bench.fanout.viewers import Viewers

RATE = 20
FLOW_S = 1.0


def weigh(variant: Variant, counts: Sequence[int], program: Path) -> dict[int, float]:
    """Return the KiB for each viewer, by the number of viewers; all have been sent some events.

    It is what the server's PSS is above that at its start."""
    found: dict[int, float] = {}
    with running(variant) as server:
        empty, first = server.pss_bytes, 1
        for count in counts:
            taken, first = _weigh(server, count, first, program)
            found[count] = (taken - empty) / count / 1024
    return found


def _weigh(server: Server, count: int, first: int, program: Path) -> tuple[int, int]:
    """Return the server's PSS while that many look at it, and the number of the next event."""
    with Viewers(program, server.port, count, first):
        source = Source(server.open_feed, RATE, first=first)
        source.start()
        threading.Event().wait(FLOW_S)
        last = source.stop()
        threading.Event().wait(FLOW_S)
        return server.pss_bytes, last + 1
