"""Pages of past events, newest first: from the ring as far as it reaches, then from Kafka.

The cursor is a position: a page holds events before it, and the next cursor is before all of them. From Kafka,
the newest events of all partitions are picked by their time, so a page may be short (never empty for good)
where a partition holds nothing readable for a while."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple

from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.view import RingView
from consumer.topic.events import UnreadableEvent, read_event
from consumer.topic.kafka import Admin, KafkaUnavailable, OpenReader, Record

MAX_CONCURRENT_READS = 2


class WrongTopic(Exception):
    """The cursor belongs to a topic that no longer exists, or has more partitions than the topic."""


class Page(NamedTuple):
    """Events, newest first, and the cursor of the next page; None when there is nothing older."""

    payloads: list[bytes]
    before: Position | None


class History:
    """Answers pages of past events; at most MAX_CONCURRENT_READS of them read from Kafka at once."""

    def __init__(
        self, ring: Ring, admin: Admin, open_reader: OpenReader, *, timeout_s: float, event_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._ring = ring
        self._admin = admin
        self._open_reader = open_reader
        self._timeout_s = timeout_s
        self._event_bytes = event_bytes
        self._clock = clock
        self._reads = threading.BoundedSemaphore(MAX_CONCURRENT_READS)

    def page(self, before: Position | None, limit: int) -> Page:
        """Return up to `limit` events before a position, or before now.

        Raises WrongTopic, and KafkaUnavailable when Kafka does not answer and the ring has none of them.
        """
        view = self._ring.view()
        if before is not None:
            self._check_topic(before, view.position)
        if before is None:
            payloads, cursor = _from_view(view, view.position, limit)
        elif view.position.covers(before):
            # A cursor from before partitions were added knows nothing of them: offset 0 there.
            payloads, cursor = _from_view(view, before.no_earlier_than(_zero(view.position)), limit)
        else:  # from a faster replica: what it has and we have not read yet is in Kafka
            payloads, cursor = [], before.no_earlier_than(_zero(view.position))
        if len(payloads) == limit or not any(cursor.offsets):
            return Page(payloads, cursor if any(cursor.offsets) else None)
        try:
            older = self._from_kafka(cursor, limit - len(payloads))
        except KafkaUnavailable:
            if not payloads:
                raise
            return Page(payloads, cursor)  # the next page will say what is wrong
        return Page(payloads + older.payloads, older.before)

    def _check_topic(self, before: Position, ours: Position) -> None:
        """Raise WrongTopic for a cursor that cannot be of this topic; another replica may know more partitions.

        Raises KafkaUnavailable when it is our topic that no longer exists and we have not noticed."""
        partitions = len(before.offsets)
        if before.topic_id == ours.topic_id and partitions <= len(ours.offsets):
            return
        topic = self._admin.describe()
        if before.topic_id != topic.id or partitions > topic.partitions:
            raise WrongTopic
        if topic.id != ours.topic_id:
            raise KafkaUnavailable("the topic was created anew and has not been read yet")

    def _from_kafka(self, before: Position, limit: int) -> Page:
        if not self._reads.acquire(blocking=False):  # waiting would hold the threads that accept streams
            raise KafkaUnavailable("too many requests for history at once")
        try:
            before = self._within_the_log(before)
            beginnings = self._admin.beginning_offsets(len(before.offsets))
            # Retention may have passed the cursor: nothing is left before it there.
            before = before.no_earlier_than(Position(before.topic_id, beginnings))
            starts = [
                max(begin, offset - limit) for begin, offset in zip(beginnings, before.offsets, strict=True)
            ]
            found = self._read(starts, before)
        finally:
            self._reads.release()
        payloads, lowest = _newest(found, starts, beginnings, before, limit)
        more = any(low > begin for low, begin in zip(lowest, beginnings, strict=True))
        return Page(payloads, Position(before.topic_id, tuple(lowest)) if more else None)

    def _within_the_log(self, before: Position) -> Position:
        """Return the position, no later than the end of the log: what a cursor promises beyond it is lost."""
        ends = self._admin.end_offsets(len(before.offsets))
        return Position(
            before.topic_id, tuple(min(at, end) for at, end in zip(before.offsets, ends, strict=True))
        )

    def _read(self, starts: Sequence[int], before: Position) -> list[list[Record]]:
        """Return what Kafka holds from `starts` up to `before`, by partition, oldest first."""
        found: list[list[Record]] = [[] for _ in starts]
        seen: set[str] = set()
        reached = [min(start, before.at(partition)) for partition, start in enumerate(starts)]
        deadline = self._clock() + self._timeout_s
        with closing(self._open_reader(reached)) as reader:
            while any(offset < before.at(partition) for partition, offset in enumerate(reached)):
                if self._clock() > deadline:
                    raise KafkaUnavailable("history could not be read in time")
                read = reader.read(0.1)
                if read.out_of_range:
                    raise KafkaUnavailable("the log moved while it was read")
                for record in read.records:
                    reached[record.partition] = record.offset + 1
                    if record.offset < before.at(record.partition) and self._is_new(record, seen):
                        found[record.partition].append(record)
                for partition, end in read.end_offsets.items():
                    reached[partition] = max(reached[partition], end)
        return found

    def _is_new(self, record: Record, seen: set[str]) -> bool:
        """Return whether the record is an event, and not a repeat of one in `seen`; add it there.

        The tail has counted and logged those that are none."""
        try:
            event = read_event(record.value, self._event_bytes)
        except UnreadableEvent:
            return False
        if event.id in seen:
            return False
        seen.add(event.id)
        return True


def _zero(position: Position) -> Position:
    return Position(position.topic_id, (0,) * len(position.offsets))


def _from_view(view: RingView, before: Position, limit: int) -> tuple[list[bytes], Position]:
    """Return events of the ring before a position, newest first, and the position before all of them."""
    lowest = list(before.offsets)
    payloads = []
    for event in view.newest_first():
        if event.offset < lowest[event.partition]:
            lowest[event.partition] = event.offset
            payloads.append(event.payload)
            if len(payloads) == limit:
                return payloads, Position(before.topic_id, tuple(lowest))
    reached = (min(offset, view.floor.at(partition)) for partition, offset in enumerate(lowest))
    return payloads, Position(before.topic_id, tuple(reached))


def _newest(
    found: list[list[Record]], starts: Sequence[int], beginnings: Sequence[int], before: Position, limit: int
) -> tuple[list[bytes], list[int]]:
    """Return the newest events of all partitions, and the lowest offset that is dealt with in each.

    It ends early where a partition has no more candidates although its log goes further back: its next older
    event is unknown."""
    payloads: list[bytes] = []
    lowest = [min(before.at(p), start) if not found[p] else before.at(p) for p, start in enumerate(starts)]
    while len(payloads) < limit and any(found):
        if any(not records and lowest[p] > beginnings[p] for p, records in enumerate(found)):
            break
        latest = max(
            (p for p, records in enumerate(found) if records), key=lambda p: found[p][-1].timestamp_ms
        )
        record = found[latest].pop()
        payloads.append(record.value or b"")
        lowest[latest] = record.offset if found[latest] else starts[latest]
    return payloads, lowest
