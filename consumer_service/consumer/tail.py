"""Kafka -> ring. One thread reads every partition from where the ring stands, for as long as the process
lives."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Event as Flag
from typing import Protocol

from consumer.batch import Event
from consumer.events import Repeats, UnreadableEvent, read_event
from consumer.kafka import KafkaUnavailable, Read, Record, Topic
from consumer.past import Past
from consumer.position import Position
from consumer.ring import Ring
from consumer.watch import Admin, Seen, Watch

logger = logging.getLogger(__name__)

BATCH = 500
CATCH_UP_S = 10.0
POLL_S = 0.1
PAUSE_S = 1.0


class Reader(Protocol):
    def read(self, timeout: float) -> Read: ...
    def close(self) -> None: ...


OpenReader = Callable[[Sequence[int]], Reader]


@dataclass(slots=True)
class Counts:
    shown: int = 0
    repeats: int = 0
    unreadable: int = 0


class Tail:
    """A session lasts as long as the topic stays the same; every way it can change ends in a new session."""

    def __init__(
        self, ring: Ring, watch: Watch, admin: Admin, open_reader: OpenReader, repeats: Repeats, *,
        history: int, past_bytes: int, event_bytes: int, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._ring = ring
        self._watch = watch
        self._admin = admin
        self._open_reader = open_reader
        self._repeats = repeats
        self._history = history
        self._past_bytes = past_bytes
        self._clock = clock
        self._event_bytes = event_bytes
        self._gone: set[int] = set()
        self.counts = Counts()
        self.caught_up = Flag()

    def run(self, stopping: Flag) -> None:
        while not stopping.is_set():
            try:
                self._session(stopping)
            except KafkaUnavailable as exc:
                self._watch.problem = str(exc)
                logger.warning("Not reading from Kafka: %s", exc)
            stopping.wait(PAUSE_S)

    def _session(self, stopping: Flag) -> None:
        seen = self._watch.look()
        self._begin(seen.topic, seen.end)
        with closing(self._open_reader(self._ring.position.offsets)) as reader:
            logger.info("Reading from %s", self._ring.position)
            self._catch_up(reader, seen, stopping)
            while self._goes_on(seen.topic, stopping):
                read = self._read(reader)
                self._show(read.records, read.ends)
                if not self.caught_up.is_set() and self._ring.position.covers(seen.end):
                    self.caught_up.set()

    def _goes_on(self, topic: Topic, stopping: Flag) -> bool:
        same = self._watch.seen is None or self._watch.seen.topic == topic
        return same and not self._gone and not stopping.is_set()

    def _catch_up(self, reader: Reader, seen: Seen, stopping: Flag) -> None:
        """In order of time, unless a partition keeps us waiting: then with what there is."""
        past = Past(self._ring.position, seen.end)
        deadline = self._clock() + CATCH_UP_S
        while not past.is_complete and self._clock() < deadline and self._goes_on(seen.topic, stopping):
            past.add(self._read(reader))
            if past.size > self._past_bytes:
                self._show_past(past)
        self._show_past(past)

    def _show_past(self, past: Past) -> None:
        for records in past.take(BATCH):
            self._show(records, {})
        self._show([], past.ends)

    def _begin(self, topic: Topic, end: Position) -> None:
        begin = Position(topic.id, self._admin.begins(topic.partitions))
        gone, self._gone = self._gone, set()
        if not self._ring.is_open or self._ring.position.topic_id != topic.id:
            self._repeats.forget()
            self._ring.open(self._back_from(begin, end))
        elif any(self._ring.position.at(partition) > end.at(partition) for partition in gone):
            logger.error("The log of %s was cut back below %s", sorted(gone), self._ring.position)
            self._ring.open(end)
        elif not self._ring.position.covers(begin):
            self._ring.jump(self._ring.position.no_earlier_than(begin))
        else:
            # Nothing new but, perhaps, partitions.
            self._ring.append((), self._ring.position.no_earlier_than(begin))

    def _back_from(self, begin: Position, end: Position) -> Position:
        """As much history as the ring holds, taken evenly from all partitions."""
        each = self._history // len(end.offsets)
        pairs = zip(begin.offsets, end.offsets, strict=True)
        return Position(end.topic_id, tuple(max(first, last - each) for first, last in pairs))

    def _read(self, reader: Reader) -> Read:
        read = reader.read(POLL_S)
        self._gone |= read.gone
        return read

    def _show(self, records: Sequence[Record], ends: Mapping[int, int]) -> None:
        if records or ends:
            offsets = list(self._ring.position.offsets)
            events = [event for record in records if (event := self._event(record, offsets))]
            for partition, end in ends.items():
                offsets[partition] = max(offsets[partition], end)
            self._ring.append(events, Position(self._ring.position.topic_id, tuple(offsets)))
        self._watch.confirm(self._ring.position)

    def _event(self, record: Record, offsets: list[int]) -> Event | None:
        """None for what is not shown; the position moves past it all the same."""
        offsets[record.partition] = record.offset + 1
        try:
            event = read_event(record.value, self._event_bytes)
        except UnreadableEvent as exc:
            self._skip(record, exc)
            return None
        if self._repeats.is_repeat(event):
            self.counts.repeats += 1
            return None
        self.counts.shown += 1
        return Event(record.partition, record.offset, record.timestamp_ms, record.value or b"")

    def _skip(self, record: Record, reason: UnreadableEvent) -> None:
        """Every one is counted; of a flood, only each hundredth is logged, or the log would be the next
        flood."""
        self.counts.unreadable += 1
        if self.counts.unreadable <= 1000 or self.counts.unreadable % 100 == 0:
            logger.warning("Skipped partition %d offset %d: %s", record.partition, record.offset, reason)
