"""How long the partitions of an instance that was killed stand still, under a steady load."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from confluent_kafka import Producer

from bench.projector.backlog import events
from bench.projector.instances import Instance
from bench.publish import wait_until
from producer.config import Settings
from producer.publishing.kafka import bulk_producer_settings

TRICKLE_PER_S = 300
MOVES_WITHIN_S = 60
LOOK_S = 0.02

Positions = Callable[[], Mapping[int, int]]


class StoodStill(NamedTuple):
    """For how long the partitions of the killed instance stood still: the first and the last that moved again."""

    partitions: int
    first_s: float
    last_s: float


@contextmanager
def trickle(settings: Settings) -> Iterator[None]:
    """Have events come to all partitions all the while."""
    stop = threading.Event()
    producer = Producer(bulk_producer_settings(settings) | {"linger.ms": 5})

    def run() -> None:
        for event in events(10**9, datetime.now(UTC), seed=2):
            producer.produce(settings.kafka_topic, event.payload, str(event.order_id))
            producer.poll(0)
            if stop.wait(1 / TRICKLE_PER_S):
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        producer.flush(10)


def measure(victim: Instance, positions: Positions, comes_back: bool) -> StoodStill:
    """Kill an instance and wait until all of its partitions have moved on. comes_back: it is started again at once."""
    own, killed = victim.partitions(), time.monotonic()
    victim.kill()
    before = positions()
    if comes_back:
        victim.spawn()
    moved: dict[int, float] = {}

    def have_moved() -> bool:
        now = positions()
        for partition in own:
            if now[partition] > before[partition]:
                moved.setdefault(partition, time.monotonic() - killed)
        return len(moved) == len(own)

    wait_until(have_moved, MOVES_WITHIN_S, pause_s=LOOK_S)
    return StoodStill(len(own), min(moved.values()), max(moved.values()))
