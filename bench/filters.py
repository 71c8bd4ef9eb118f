"""python -m bench.filters: what a thousand viewers with a filter each cost, beside asking each about every event.

The real fan-out writes to socket pairs, step by step, in one process; CPU is that of the steps alone."""

import argparse
import socket
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

from consumer.fanout.client import Client
from consumer.fanout.filter import Filter
from consumer.fanout.live_clients import LiveClients
from consumer.fanout.policy import FanoutPolicy
from consumer.fanout.sockets import SocketFanout
from consumer.fanout.viewer import live
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event, FoundTime, Slice

TOPIC_ID = "A" * 22
PAYLOAD = b'{"specversion":"1.0","data":"' + b"x" * 480 + b'"}'
BATCH = 10


class NoReplay:
    """Nobody begins in the past here."""

    number = 0

    def on_change(self, listener: Callable[[], None]) -> None:
        pass

    def wait_past(self, number: int, timeout: float) -> bool:
        return False

    def slice(self, position: Position, until: Position, began: int, max_bytes: int) -> Slice | None:
        return None

    def find(self, since_ms: int, until: Position, began: int) -> FoundTime | None:
        return None

    def is_reading(self, position: Position, began: int) -> bool:
        return False


class AskEach(LiveClients):
    """The naive way: every filter is asked about every event."""

    def wanting(self, events: Iterable[Event]) -> Iterator[tuple[list[Client], list[bytes]]]:
        found = list(events)
        for wanted, clients in self._by_filter.items():
            if payloads := [event.payload for event in found if wanted.passes(event)]:
                yield list(clients), payloads


def measure(
    filters: Sequence[Filter], kind: type[LiveClients], events: int, order: Callable[[int], str]
) -> float:
    """Return the CPU of the fan-out for one event, in microseconds."""
    ring = Ring(100_000, 256 << 20)
    ring.open(Position(TOPIC_ID, (0,)))
    policy = FanoutPolicy(flush_window_s=0, heartbeat_s=1e6, stall_s=1e6)
    with closing(SocketFanout(ring, NoReplay(), lambda: "live", policy, time.monotonic)) as fanout:
        fanout._live = kind()
        browsers = []
        for wanted in filters:
            server, browser = socket.socketpair()
            browser.setblocking(False)
            browsers.append(browser)
            fanout.attach(server, False, live(ring, wanted), b"")
        for _ in range(3):
            fanout.wake()
            fanout.step()
        spent = 0.0
        for start in range(0, events, BATCH):
            batch = [Event(0, n, n, PAYLOAD, "order.placed", order(n)) for n in range(start, start + BATCH)]
            ring.append(batch, Position(TOPIC_ID, (start + BATCH,)))
            began = time.thread_time()
            while fanout._has_news():
                fanout.step()
            spent += time.thread_time() - began
            for browser in browsers if start % 500 == 0 else []:
                while _drain(browser):
                    pass
        fanout.end_all()
        for browser in browsers:
            browser.close()
    return spent / events * 1e6


def _drain(browser: socket.socket) -> bytes:
    try:
        return browser.recv(1 << 20)
    except BlockingIOError:
        return b""


def main() -> None:
    """Measure the variants in turn, several rounds, and print the medians."""
    parser = argparse.ArgumentParser("python -m bench.filters", description=__doc__)
    parser.add_argument("--filters", type=int, default=1000)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    own = [Filter.parse([], f"o{n}") for n in range(options.filters)]
    others = lambda n: f"another {n}"  # noqa: E731
    theirs = lambda n: f"o{n % options.filters}"  # noqa: E731
    variants: dict[str, tuple[Sequence[Filter], type[LiveClients], Callable[[int], str]]] = {
        "one viewer that follows an order, of others": (own[:1], LiveClients, others),
        f"{options.filters:,} that follow one each, of others": (own, LiveClients, others),
        f"{options.filters:,} that follow one each, one of them this": (own, LiveClients, theirs),
        f"the same, asking every filter ({options.filters:,})": (own, AskEach, theirs),
    }
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(options.rounds):
        for name, (filters, kind, order) in variants.items():
            found[name].append(measure(filters, kind, options.events, order))
    print("| An event, and viewers with a filter | CPU, us/event |\n|---|---|")
    for name, values in found.items():
        print(f"| {name} | {statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f}) |")


if __name__ == "__main__":
    main()
