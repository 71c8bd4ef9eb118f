"""A topic in memory: what the tail, the monitor and the history see of Kafka."""

import json
import threading
from collections.abc import Callable, Sequence

from consumer.topic.kafka import KafkaUnavailable, Read, Record, Topic

MARKER = b"a transaction marker: it has an offset, but no reader is given it"
TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAA"
OTHER_ID = "BBBBBBBBBBBBBBBBBBBBBB"


def event(order: str, version: int = 1, **changes: object) -> bytes:
    message = {
        "specversion": "1.0",
        "id": f"{order}-{version}",
        "source": "/orders",
        "type": "order.placed",
        "subject": order,
        "time": "2026-11-22T14:05:06.123456Z",
        "data": {"order_id": order, "version": version, "status": "placed"},
    }
    return json.dumps(message | changes, separators=(",", ":")).encode()


class NoPause(threading.Event):
    """A stop flag that is never waited for."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


class FakeTopic:
    """Does one step of its story each time a reader has read everything; after the last one, it is over."""

    def __init__(self, partitions: int = 2) -> None:
        self.id = TOPIC_ID
        self.logs: list[list[tuple[int, bytes | None]]] = [[] for _ in range(partitions)]
        self.first = [0] * partitions
        self.over = NoPause()
        self.story: list[Callable[[], object]] = []
        self.is_down = False
        self.opened: list[list[int]] = []

    def put(self, partition: int, *values: bytes | None, at: int = 0) -> None:
        self.logs[partition].extend((at, value) for value in values)

    def recreate(self, partitions: int = 2) -> None:
        self.id = OTHER_ID
        self.logs = [[] for _ in range(partitions)]
        self.first = [0] * partitions

    def describe(self) -> Topic:
        if self.is_down:
            raise KafkaUnavailable("no answer")
        return Topic(self.id, len(self.logs))

    def beginning_offsets(self, partitions: int) -> tuple[int, ...]:
        return tuple(self.first[:partitions])

    def end_offsets(self, partitions: int) -> tuple[int, ...]:
        return tuple(len(log) for log in self.logs[:partitions])

    def open_reader(self, offsets: Sequence[int]) -> "FakeReader":
        self.opened.append(list(offsets))
        return FakeReader(self, list(offsets))


class FakeReader:
    """Reads one partition after the other, as Kafka answers fetches."""

    def __init__(self, topic: FakeTopic, offsets: list[int]) -> None:
        self._topic = topic
        self._offsets = offsets
        self._ends: dict[int, int] = {}

    def read(self, timeout: float) -> Read:
        for partition, offset in enumerate(self._offsets):
            log = self._topic.logs[partition]
            if not self._topic.first[partition] <= offset <= len(log):
                return Read([], {}, {partition})
            if offset < len(log):
                self._offsets[partition] = len(log)
                records = [
                    Record(partition, at, ms, value)
                    for at, (ms, value) in enumerate(log[offset:], offset)
                    if value != MARKER
                ]
                return Read(records, {partition: len(log)}, set())
        return self._turn_the_page()

    def _turn_the_page(self) -> Read:
        if self._topic.story:
            self._topic.story.pop(0)()
        else:
            self._topic.over.set()
        return Read([], {}, set())

    def close(self) -> None:
        self._offsets = []
