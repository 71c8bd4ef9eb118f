"""A crowd that comes back at once, each with its last id, while events flow."""

import threading
from dataclasses import dataclass
from pathlib import Path

from bench.fanout.rates import SETTLE_S
from bench.fanout.servers import Variant, running
from bench.fanout.source import Source
from bench.fanout.viewers import Greeted, Seen, Viewers

FLOW_S = 1.0
GRACE_S = 30.0


@dataclass(frozen=True)
class Reconnected:
    """greeted: those that came back. published: how many events, before, meanwhile and after."""

    greeted: Greeted
    published: int
    seen: Seen


def reconnect(variant: Variant, count: int, rate: float, program: Path) -> Reconnected:
    """Close all streams and open them again; then wait until all have everything.

    Raises RuntimeError when the server takes no events or no viewers any more."""
    with running(variant) as server, Viewers(program, server.port, count) as viewers:
        source = Source(server.open_feed, rate)
        source.start()
        threading.Event().wait(FLOW_S)
        greeted = viewers.reconnect()
        threading.Event().wait(SETTLE_S)
        last = source.stop()
        return Reconnected(greeted, source.published, viewers.finish(last, GRACE_S))
