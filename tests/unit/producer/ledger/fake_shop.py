"""A topic and the tables in memory, with the methods that a run of the ledger uses."""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from confluent_kafka import KafkaError, Message

from producer.domain.partitioner import partition_of
from producer.ledger.books import Books, CommittedOrder, Totals
from producer.ledger.run import Ledger
from producer.ledger.sighting import half_of
from producer.ledger.topic import Offsets

PARTITIONS = 3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_id(order_id: UUID, version: int, copy: int = 0) -> UUID:
    return UUID(int=order_id.int ^ (version << 8) ^ copy)


def event(order_id: UUID, version: int, copy: int = 0) -> bytes:
    """Return an event's value; another copy of the same version has another id."""
    own_id = event_id(order_id, version, copy)
    return json.dumps(
        {"id": str(own_id), "type": "order.placed", "subject": str(order_id), "data": {"version": version}}
    ).encode()


class FakeMessage(Message):
    """A message as a consumer returns it."""

    def __init__(self, partition: int, offset: int, value: bytes | KafkaError, at_ms: int, key: bytes = b""):
        self._place, self._value, self._at_ms, self._key = (partition, offset), value, at_ms, key

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes | None:
        return self._value if isinstance(self._value, bytes) else None

    def error(self) -> KafkaError | None:
        return self._value if isinstance(self._value, KafkaError) else None

    def timestamp(self) -> tuple[int, int]:
        return 2, self._at_ms


class FakeTopic:
    """Logs whose beginnings retention removes."""

    def __init__(self) -> None:
        self.logs: dict[int, list[FakeMessage]] = {number: [] for number in range(PARTITIONS)}
        self.first: Offsets = dict.fromkeys(range(PARTITIONS), 0)
        self.on_read: Callable[[], None] = lambda: None

    def append(self, partition: int, value: bytes | KafkaError, at_ms: int = 0, key: bytes = b"") -> None:
        log = self.logs[partition]
        log.append(FakeMessage(partition, len(log), value, at_ms, key))

    def publish(self, order_id: UUID, version: int, at_ms: int = 0, copy: int = 0) -> None:
        partition = partition_of(str(order_id), PARTITIONS)
        self.append(partition, event(order_id, version, copy), at_ms, str(order_id).encode())

    def starts(self) -> Offsets:
        return dict(self.first)

    def ends(self) -> Offsets:
        return {number: len(log) for number, log in self.logs.items()}

    def read(self, starts: Offsets, ends: Offsets) -> Generator[list[Message], None, None]:
        for number, end in ends.items():
            yield list(self.logs[number][max(starts[number], self.first[number]) : end])
        self.on_read()


@dataclass
class FakeBooks(Books):
    """The tables. waiting: the events in the outbox, discarded: those given up.

    keep_ids: whether orders know the id of their last event.
    """

    versions: dict[UUID, int] = field(default_factory=dict)
    placed_ms: dict[UUID, int] = field(default_factory=dict)
    waiting: set[tuple[UUID, int]] = field(default_factory=set)
    discarded: set[tuple[UUID, int]] = field(default_factory=set)
    between: Callable[[], None] = lambda: None
    keep_ids: bool = True

    def count_orders(self) -> int:
        return len(self.versions)

    def totals(self) -> Totals:
        return Totals(len(self.waiting), 0, len(self.discarded))

    def pages(self, page: int = 2) -> Iterator[list[CommittedOrder]]:
        """Read the orders of a page before their rows, as the real one does; `between` is what happens meanwhile."""
        ids = sorted(self.versions)
        for first in range(0, len(ids), page):
            versions = {order_id: self.versions[order_id] for order_id in ids[first : first + page]}
            self.between()
            gone = self.waiting | self.discarded
            yield [self._order(order_id, version, gone) for order_id, version in versions.items()]

    def _order(self, order_id: UUID, version: int, gone: set[tuple[UUID, int]]) -> CommittedOrder:
        moment = EPOCH + timedelta(milliseconds=self.placed_ms.get(order_id, 0))
        newest = half_of(event_id(order_id, version)) if self.keep_ids else None
        accounted = frozenset(number for each, number in gone if each == order_id)
        return CommittedOrder(
            order_id.bytes, version, moment, moment, [moment] * (version - 1), accounted, newest
        )


@contextmanager
def no_progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    yield lambda step: None


def run(topic: FakeTopic, books: FakeBooks, now_ms: int = 1 << 40) -> Ledger:
    """Run the ledger to its end."""
    ledger = Ledger(topic, books, no_progress, lambda: now_ms)
    list(ledger.run())
    return ledger
