"""A topic in memory: the part of Kafka that the tail, the freshness monitor and the history use."""

import json
import threading
from collections.abc import Callable, Sequence

from consumer.topic.kafka import KafkaUnavailable, Read, Record, Topic

MARKER = b"a transaction marker: it takes an offset, but no reader is given it"
TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAA"
OTHER_ID = "BBBBBBBBBBBBBBBBBBBBBB"


def event(order: str, version: int = 1, **changes: object) -> bytes:
    """Return the bytes of an order event."""
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


def signpost(*ends: int) -> bytes:
    """Return what the producer's command writes to each partition when there are more of them."""
    message = {
        "specversion": "1.0",
        "id": "1",
        "source": "/orders",
        "type": "topic.grown",
        "data": {"ends": ends},
    }
    return json.dumps(message, separators=(",", ":")).encode()


class NoPause(threading.Event):
    """A stop flag whose waits return at once."""

    def wait(self, timeout: float | None = None) -> bool:
        """Return whether it is set, without waiting."""
        return self.is_set()


class FakeTopic:
    """An Admin and an OpenReader. Each time a reader has read everything, the next of `steps` is taken.

    end_of_steps: set when no step is left. opened: the offsets that each reader was opened at; the first
    `silent_readers` of them receive nothing. open_transactions: by partition, the first offset that nobody is given.
    stuck: the partitions of which nothing comes to any reader. read_first: the one that readers begin with.
    on_open: called before a reader is opened. is_down: every question to the brokers raises KafkaUnavailable.
    """

    def __init__(self, partitions: int = 2) -> None:
        self.id = TOPIC_ID
        self.logs: list[list[tuple[int, bytes | None]]] = [[] for _ in range(partitions)]
        self.first = [0] * partitions
        self.steps: list[Callable[[], object]] = []
        self.end_of_steps = NoPause()
        self.is_down = False
        self.opened: list[list[int]] = []
        self.silent_readers = 0
        self.open_transactions: dict[int, int] = {}
        self.stuck: set[int] = set()
        self.read_first = 0
        self.on_open: Callable[[], None] = lambda: None
        self.truncations: list[tuple[int, int]] = []

    def put(self, partition: int, *values: bytes | None, at: int = 0) -> None:
        """Append messages to a partition. at: their timestamp in milliseconds."""
        self.logs[partition].extend((at, value) for value in values)

    def truncate(self, partition: int, length: int) -> None:
        """Lose the end of a log. Readers that were further are refused, also when it has grown again (KIP-320)."""
        del self.logs[partition][length:]
        self.truncations.append((partition, length))

    def recreate(self, partitions: int = 2) -> None:
        """Replace the topic by an empty one of the same name."""
        self.id = OTHER_ID
        self.logs = [[] for _ in range(partitions)]
        self.first = [0] * partitions

    def describe(self) -> Topic:
        """Return the topic's id and number of partitions."""
        self._raise_if_down()
        return Topic(self.id, len(self.logs))

    def beginning_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return the first offset that retention has left in each partition."""
        self._raise_if_down(partitions)
        return tuple(self.first[:partitions])

    def end_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return the offset after the last message of each partition."""
        self._raise_if_down(partitions)
        return tuple(len(log) for log in self.logs[:partitions])

    def stable_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return the ends, or where open transactions begin."""
        ends = self.end_offsets(partitions)
        return tuple(self.open_transactions.get(partition, end) for partition, end in enumerate(ends))

    def offsets_since(self, since_ms: int, partitions: int) -> tuple[int | None, ...]:
        """Return the first offset of each partition that is left and not older."""
        self._raise_if_down(partitions)
        return tuple(
            next((at for at in range(first, len(log)) if log[at][0] >= since_ms), None)
            for first, log in zip(self.first[:partitions], self.logs, strict=False)
        )

    def open_reader(self, offsets: Sequence[int]) -> "FakeReader":
        """Return a reader that begins at these offsets."""
        self.on_open()
        self.opened.append(list(offsets))
        return FakeReader(self, list(offsets))

    def _raise_if_down(self, partitions: int = 0) -> None:
        if self.is_down:
            raise KafkaUnavailable("no answer")
        if partitions > len(self.logs):
            raise KafkaUnavailable("unknown partition")


class FakeReader:
    """Reads one partition after the other, as Kafka answers fetches.

    That a partition was read to its end is told by the next read, without a record: whoever relied on it to count
    offsets would count wrong with the real one."""

    def __init__(self, topic: FakeTopic, offsets: list[int]) -> None:
        self._topic = topic
        self._offsets = offsets
        self._ends = [-1] * len(offsets)
        self._known_truncations = len(topic.truncations)
        self._number = len(topic.opened)

    def read(self, timeout: float) -> Read:
        """Return the rest of the first partition that is not read to its end."""
        if self._number <= self._topic.silent_readers:
            return self._take_next_step()
        for partition, length in self._topic.truncations[self._known_truncations :]:
            if self._offsets[partition] > length:
                return Read([], {}, {partition})
        numbers = sorted(range(len(self._offsets)), key=lambda number: number != self._topic.read_first)
        for partition in numbers:
            offset = self._offsets[partition]
            log = self._topic.logs[partition]
            if not self._topic.first[partition] <= offset <= len(log):
                return Read([], {}, {partition})
            end = self._topic.open_transactions.get(partition, len(log))
            if partition in self._topic.stuck:
                continue
            records = [
                Record(partition, at, ms, value)
                for at, (ms, value) in enumerate(log[offset:end], offset)
                if value != MARKER
            ]
            self._offsets[partition] = max(offset, end)
            if records:
                return Read(records, {}, set())
            if self._ends[partition] != end:
                self._ends[partition] = end
                return Read([], {partition: end}, set())
        return self._take_next_step()

    def _take_next_step(self) -> Read:
        if self._topic.steps:
            self._topic.steps.pop(0)()
        else:
            self._topic.end_of_steps.set()
        return Read([], {}, set())

    def close(self) -> None:
        """Forget the offsets."""
        self._offsets = []
