"""A stretch of the topic, read anew from a position, in order of time.

Kafka delivers the partitions in any proportion, but a viewer's rows come in order of time and its id is a position over
all of them. So records wait here until every partition that has more has shown its next one; the earliest goes first.
Where that takes too much memory, or a partition keeps everyone waiting, what there is goes on without it: its events
come later, and none is lost, as the position says how far each partition has come."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from consumer.ring.position import Position
from consumer.ring.types import Batch, Event, Gap, Slice, split
from consumer.topic.deduplicator import Deduplicator
from consumer.topic.events import SIGNPOST, OrderEvent, Signpost, UnreadableEvent, read_event, read_signpost
from consumer.topic.kafka import Admin, KafkaUnavailable, OpenReader, Read, Reader, Record

POLL_S = 0.1
PATIENCE_S = 2.0  # for a partition that gives nothing while others do
GIVE_UP_S = 5.0  # when none gives anything
BUFFER_BYTES = 4 << 20

# Where one part of the stretch ends and the next begins: behind every such offset of a partition. That depends on the
# log alone, so viewers that begin at different places soon ask for the same parts.
PART_OFFSETS = 1024


class _Found(NamedTuple):
    """An event that is kept, and what was read of it; or a signpost."""

    event: Event
    read_as: OrderEvent | Signpost


class Stretch:
    """An open reader, what it has read ahead, and the position before all that. Belongs to one thread.

    position: everything of this topic before it has been given, or was told as lost."""

    def __init__(
        self, admin: Admin, open_reader: OpenReader, deduplicator: Deduplicator, position: Position,
        partitions: int, *, event_bytes: int, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """Open a reader at a position, or where Kafka's logs begin. Raises KafkaUnavailable."""
        self._admin = admin
        self._deduplicator = deduplicator
        self._event_bytes = event_bytes
        self._clock = clock
        self._check_topic(position)
        asked = position.no_earlier_than(Position(position.topic_id, (0,) * partitions))
        begin = Position(position.topic_id, admin.beginning_offsets(partitions))
        self.position = asked.no_earlier_than(begin)
        self._gap = None if asked.covers(begin) else Gap("expired", asked, self.position)
        self._partitions = range(partitions)
        # Before this, nothing is taken: a position beyond the end of a log is not ours to judge, and no reader could be
        # opened there (Viewer.check_position does, once the viewer is in the ring).
        self._reached = list(self.position.offsets[:partitions])
        self._ends = admin.end_offsets(partitions)
        self._records: list[deque[_Found]] = [deque() for _ in self._partitions]
        self._bytes = 0
        self._waiting: set[int] = set()  # partitions of which nothing is kept behind a signpost
        self._is_behind = False
        self._open_reader = open_reader
        self._reader = self._open()

    def _open(self) -> Reader:
        return self._open_reader(list(map(min, self._reached, self._ends)))

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()

    def read(self, until: Position, max_bytes: int) -> Slice:
        """Read the next part: to where it ends, up to `until`, or about max_bytes. Raises KafkaUnavailable.

        The position of what is returned is never beyond `until`, but where the stretch began there."""
        batches: list[Batch] = []
        if self._gap is not None and self._gap.start is not None:
            batches.append(Batch(self._gap.start, (), self._gap))
        before = self.position
        events = list(self._next_events(until, max_bytes))
        batches += split(before, events)
        self._check_topic(self.position)  # or the offsets were those of another topic of the same name
        self._gap = None
        return Slice(batches, len(batches), self.position)

    def _check_topic(self, position: Position) -> None:
        if self._admin.describe().id != position.topic_id:
            raise KafkaUnavailable("the topic was created anew")

    def _next_events(self, until: Position, max_bytes: int) -> Iterator[Event]:
        """Yield the events of one part, and move the position past them."""
        size = 0
        is_end = False
        while not is_end:
            is_complete = self._wait_for_all(until)
            for event in self._in_order(until, is_complete):
                yield event
                size += event.size
                if is_end := event.offset % PART_OFFSETS == PART_OFFSETS - 1 or size > max_bytes:
                    break
            is_end = is_end or not is_complete or not (self._has_more(until) or self._pass_one(until))
        self._move_on(until)

    def _has_more(self, until: Position) -> bool:
        return bool(self._unknown(until)) or self._is_any_ready(until)

    def _pass_one(self, until: Position) -> bool:
        """Pass the earliest of signposts that all have to wait, with nothing left to wait for; return whether one is.

        True ones never come to that. The tail has passed these too, as it has read up to `until`: somebody else wrote
        them, or they say more of a log than Kafka has kept."""
        if len(until.offsets) > len(self._partitions):
            return False  # a partition is not read here: whoever reads next does
        waiting = [
            records[0].event
            for partition, records in enumerate(self._records)
            if records and records[0].event.offset < until.at(partition)
        ]
        if waiting:
            self._drop_first(min(waiting, key=lambda event: event.timestamp_ms).partition)
        return bool(waiting)

    def _wait_for_all(self, until: Position) -> bool:
        """Read until every partition that has more has shown its next event; return whether that is so.

        Raises KafkaUnavailable when nothing comes of those that are waited for. What others have meanwhile does not
        count, and is bounded: they may be as busy as they like."""
        came_at = self._clock()
        while unknown := self._unknown(until):
            waited_s = self._clock() - came_at
            if self._is_any_ready(until) and (self._bytes > BUFFER_BYTES or waited_s > PATIENCE_S):
                return False
            if waited_s > GIVE_UP_S or self._bytes > BUFFER_BYTES:
                raise KafkaUnavailable(f"nothing has come from partitions {unknown} for {waited_s:.0f} s")
            if self._is_behind:
                self._reader.close()
                self._reader, self._is_behind = self._open(), False
            if self._take(self._reader.read(POLL_S)).intersection(unknown):
                came_at = self._clock()
        return True

    def _in_order(self, until: Position, is_complete: bool) -> Iterator[Event]:
        """Take what is ready, the earliest first; if all have shown theirs, until a partition has no more to show."""
        ready = [
            (self._records[partition][0].event.timestamp_ms, partition)
            for partition in self._partitions
            if self._is_ready(partition, until)
        ]
        heapify(ready)
        while ready:
            _, partition = heappop(ready)
            event, read_as = self._drop_first(partition)
            if isinstance(read_as, OrderEvent) and not self._deduplicator.is_duplicate(read_as):
                yield event
            if self._is_ready(partition, until):
                heappush(ready, (self._records[partition][0].event.timestamp_ms, partition))
            elif is_complete and self._is_unknown(partition, until):
                return

    def _unknown(self, until: Position) -> list[int]:
        return [partition for partition in self._partitions if self._is_unknown(partition, until)]

    def _is_unknown(self, partition: int, until: Position) -> bool:
        """Return whether the next event of a partition may exist and has not been read yet."""
        return not self._records[partition] and self._reached[partition] < until.at(partition)

    def _is_ready(self, partition: int, until: Position) -> bool:
        """Return whether the next of a partition is here, not beyond `until`, and not a signpost that has to wait."""
        records = self._records[partition]
        if not records or records[0].event.offset >= until.at(partition):
            return False
        read_as = records[0].read_as
        return isinstance(read_as, OrderEvent) or self._may_pass(records[0].event, read_as)

    def _is_any_ready(self, until: Position) -> bool:
        return any(self._is_ready(partition, until) for partition in self._partitions)

    def _may_pass(self, at: Event, signpost: Signpost) -> bool:
        """Return whether everything has been given that comes before a signpost in other partitions.

        What the logs no longer had when they were asked is not waited for, if that was later."""
        knows = self._ends[at.partition] > at.offset
        return all(
            partition == at.partition
            or (partition < len(self._reached) and self._given(partition) >= last)
            or (partition < len(self._ends) and knows and self._given(partition) >= self._ends[partition])
            for partition, last in enumerate(signpost.ends)
        )

    def _given(self, partition: int) -> int:
        """Return the offset before which everything of a partition has been given."""
        records = self._records[partition]
        return records[0].event.offset if records else self._reached[partition]

    def _drop_first(self, partition: int) -> _Found:
        """Take the next of a partition. Behind a signpost that had to wait, it is read anew."""
        found = self._records[partition].popleft()
        self._bytes -= found.event.size
        if partition in self._waiting and isinstance(found.read_as, Signpost):
            self._waiting.remove(partition)
            self._is_behind = True
        return found

    def _keep(self, record: Record, event_type: str, subject: str, read_as: OrderEvent | Signpost) -> None:
        event = Event(*record[:3], record.value or b"", event_type, subject)
        self._records[record.partition].append(_Found(event, read_as))
        self._bytes += event.size

    def _take(self, read: Read) -> set[int]:
        """Keep what is readable; return of which partitions anything came. Raises KafkaUnavailable."""
        if read.out_of_range:
            raise KafkaUnavailable(f"the log has moved in partitions {sorted(read.out_of_range)}")
        for record in read.records:
            if record.offset < self._reached[record.partition] or record.partition in self._waiting:
                continue
            self._reached[record.partition] = record.offset + 1
            if (signpost := read_signpost(record.value)) is not None:
                self._keep(record, SIGNPOST, "", signpost)
                if not self._may_pass(self._records[record.partition][-1].event, signpost):
                    self._waiting.add(record.partition)
                continue
            with suppress(UnreadableEvent):  # the tail has counted and logged it
                read_as = read_event(record.value, self._event_bytes)
                self._keep(record, read_as.type, read_as.subject, read_as)
        for partition, end in read.end_offsets.items():
            if partition not in self._waiting:
                self._reached[partition] = max(self._reached[partition], end)
        return {record.partition for record in read.records} | read.end_offsets.keys()

    def _move_on(self, until: Position) -> None:
        reached = (
            max(self.position.at(partition), min(self._given(partition), until.at(partition)))
            for partition in self._partitions
        )
        beyond = self.position.offsets[len(self._partitions) :]
        self.position = Position(self.position.topic_id, (*reached, *beyond))
