"""Kafka to the ring: one thread reads every partition from the ring's position, for as long as the process lives."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event
from consumer.topic.backfill import Backfill
from consumer.topic.deduplicator import Deduplicator
from consumer.topic.events import Signpost, UnreadableEvent, read_event, read_signpost
from consumer.topic.freshness import FreshnessMonitor, TopicSnapshot
from consumer.topic.kafka import Admin, KafkaUnavailable, OpenReader, Read, Reader, Record, Topic
from consumer.topic.silence import Silence

logger = logging.getLogger(__name__)

BATCH = 500
CATCH_UP_S = 10.0
POLL_S = 0.1
PAUSE_S = 1.0
# Once caught up: a partition that cannot be read must not keep the others waiting at every new session.
RESUME_S = 2.0
STALL_S = 10.0
MAX_STALL_S = 640.0


@dataclass(slots=True)
class Counts:
    """What became of the messages read so far."""

    shown: int = 0
    repeats: int = 0
    unreadable: int = 0


class Tail:
    """Reads the topic in sessions. A session lasts as long as the topic stays the same; any change ends it.

    history: how many events to read back at start. backfill_bytes: how many bytes of them to
    sort at once; at the first start, twice that.
    """

    def __init__(
        self, ring: Ring, monitor: FreshnessMonitor, admin: Admin, open_reader: OpenReader,
        deduplicator: Deduplicator, *,
        history: int, backfill_bytes: int, event_bytes: int, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._ring = ring
        self._monitor = monitor
        self._admin = admin
        self._open_reader = open_reader
        self._deduplicator = deduplicator
        self._history = history
        self._backfill_bytes = backfill_bytes
        self._clock = clock
        self._event_bytes = event_bytes
        self._out_of_range: set[int] = set()
        self._held: dict[int, tuple[Record, Signpost]] = {}
        self._free: set[tuple[int, int]] = set()
        self._noted: TopicSnapshot | None = None
        self._silence = Silence()
        self._first_end = Position("", ())
        self._stalled_at: dict[int, int] = {}
        self._stall_s = STALL_S
        self.counts = Counts()
        self.caught_up = threading.Event()

    def run(self, stopping: threading.Event) -> None:
        """Read until `stopping` is set."""
        while not stopping.is_set():
            try:
                self._session(stopping)
            except KafkaUnavailable as exc:
                self._monitor.problem = str(exc)
                logger.warning("Kafka cannot be read: %s", exc)
            else:
                if self._is_free():
                    continue
            stopping.wait(PAUSE_S)

    def _session(self, stopping: threading.Event) -> None:
        snapshot = self._monitor.refresh()
        self._begin(snapshot.topic, snapshot.end)
        self._held = {}
        self._silence, self._first_end = Silence(), snapshot.end
        with closing(self._open_reader(self._ring.position.offsets)) as reader:
            logger.info("Reading from %s", self._ring.position)
            self._backfill(reader, snapshot, stopping)
            while self._continues(snapshot.topic, stopping):
                read = self._read(reader)
                self._show(read.records, read.end_offsets)
                self._check_progress()
                if not self.caught_up.is_set() and self._has_caught_up(snapshot):
                    self.caught_up.set()

    def _check_progress(self) -> None:
        """Raise KafkaUnavailable when nothing comes from a partition that has more, or that ends before our position.

        After all brokers were away at once, librdkafka's consumer was seen to poll for ever and receive nothing; only a
        new one helps. It goes on at our position. Not while the brokers do not answer for every partition: a session
        could not begin then, and the partitions that can be read would wait for the one that cannot."""
        snapshot, position = self._monitor.snapshot, self._ring.position
        is_known = (
            snapshot is not None and snapshot.topic.id == position.topic_id and self._monitor.is_informed
        )
        end = snapshot.end if snapshot is not None and is_known else None
        if any(
            position.at(partition) != offset or (end is not None and end.at(partition) == offset)
            for partition, offset in self._stalled_at.items()
        ):
            self._stalled_at, self._stall_s = {}, STALL_S  # it went on: the next silence is another one
            self._monitor.stall = ""
        self._silence.look(self._clock(), position, self._without_held(end, position))
        if end is not None and (late := self._silence.late(self._stall_s)):
            self._raise_unless_held_back(late, position, len(end.offsets))

    def _raise_unless_held_back(self, late: Sequence[int], position: Position, partitions: int) -> None:
        """Raise KafkaUnavailable unless it is an open transaction that holds back what follows: then any reader waits,
        and health says that we are behind.

        A reader may also need long to get past what nobody is given, such as an aborted transaction. So the next one
        has twice the time when this one got nowhere."""
        waited_s, self._silence = self._silence.limit_s(self._stall_s), Silence()
        try:
            stable = self._admin.stable_offsets(partitions)
        except KafkaUnavailable:
            return  # they are asked again when it has been as long once more
        for partition in late:
            offset = position.at(partition)
            if offset != stable[partition]:
                if self._stalled_at.get(partition) == offset:
                    self._stall_s = min(2 * waited_s, MAX_STALL_S)
                self._stalled_at = {partition: offset}
                self._monitor.stall = f"nothing has come from partition {partition} for {waited_s:.0f} s"
                raise KafkaUnavailable(self._monitor.stall)
        if all(position.at(p) >= min(stable[p], self._first_end.at(p)) for p in range(partitions)):
            self.caught_up.set()

    def _has_caught_up(self, first: TopicSnapshot) -> bool:
        """Return whether everything is read that was there at the start, or all that is left when the log was cut."""
        now = self._monitor.snapshot
        position = self._ring.position
        return position.covers(first.end) or (
            now is not None and now.topic == first.topic and position.covers(now.end)
        )

    def _continues(self, topic: Topic, stopping: threading.Event) -> bool:
        same = self._monitor.snapshot is None or self._monitor.snapshot.topic == topic
        return same and not self._out_of_range and not self._is_free() and not stopping.is_set()

    def _backfill(self, reader: Reader, snapshot: TopicSnapshot, stopping: threading.Event) -> None:
        """Show the past in order of time; when a partition keeps us waiting, show what there is.

        Of more than can be sorted at once, the first session shows only the newest: nobody has been sent anything yet,
        and what is older is in Kafka. Shown in parts, old events would come after new ones, and push them out."""
        backfill = Backfill(self._ring.position, snapshot.end)
        is_first = self._ring.is_unused and not self.caught_up.is_set()
        deadline = self._clock() + (RESUME_S if self.caught_up.is_set() else CATCH_UP_S)
        while (
            not backfill.is_complete
            and self._clock() < deadline
            and self._continues(snapshot.topic, stopping)
        ):
            backfill.add(self._read(reader))
            if not is_first and backfill.size > self._backfill_bytes:
                self._show_backfill(backfill)
            elif backfill.size > 2 * self._backfill_bytes:
                self._ring.begin_later(backfill.drop_oldest(self._backfill_bytes))
        self._show_backfill(backfill)

    def _show_backfill(self, backfill: Backfill) -> None:
        for records in backfill.take(BATCH):
            self._show(records, {})
        self._show([], backfill.end_offsets)

    def _begin(self, topic: Topic, end: Position) -> None:
        begin = Position(topic.id, self._admin.beginning_offsets(topic.partitions))
        out_of_range, self._out_of_range = self._out_of_range, set()
        if not self._ring.is_open or self._ring.position.topic_id != topic.id:
            self._forget()
            self._ring.open(self._history_before(begin, end))
        elif truncated := self._truncated(out_of_range, begin):
            logger.error("Kafka has lost the end of partitions %s below %s", truncated, self._ring.position)
            self._forget()
            self._ring.rewind(self._before_truncation(truncated, begin, end))
        elif not self._ring.position.covers(begin):
            self._ring.jump(self._ring.position.no_earlier_than(begin))
        else:
            # Nothing is new except, perhaps, partitions.
            self._ring.append((), self._ring.position.no_earlier_than(begin))

    def _forget(self) -> None:
        """Forget what was read: it is of another topic, or of a log that Kafka has lost."""
        self._deduplicator.forget()
        self._free = set()

    def _truncated(self, out_of_range: set[int], begin: Position) -> list[int]:
        """Return the partitions whose log was shorter than what we had read when Kafka refused our offset.

        It may have grown again since: an offset that was refused and is in range now has lost its meaning too.
        """
        place = self._ring.position
        return sorted(p for p in out_of_range if place.at(p) >= begin.at(p))

    def _before_truncation(self, truncated: list[int], begin: Position, end: Position) -> Position:
        """Return where reading begins anew: in the truncated partitions as far back as at a start, since where
        the log was cut is not known; in the others where it was."""
        history = self._history_before(begin, end)
        return Position(
            end.topic_id,
            tuple(
                min(history.at(partition), self._ring.position.at(partition))
                if partition in truncated
                else max(self._ring.position.at(partition), offset)
                for partition, offset in enumerate(begin.offsets)
            ),
        )

    def _history_before(self, begin: Position, end: Position) -> Position:
        """Return the position from which the ring is filled, taking as much from each partition."""
        each = self._history // len(end.offsets)
        pairs = zip(begin.offsets, end.offsets, strict=True)
        return Position(end.topic_id, tuple(max(first, last - each) for first, last in pairs))

    def _read(self, reader: Reader) -> Read:
        read = reader.read(POLL_S)
        self._out_of_range |= read.out_of_range
        return read

    def _show(self, records: Sequence[Record], end_offsets: Mapping[int, int]) -> None:
        if records or end_offsets:
            offsets = list(self._ring.position.offsets)
            events = [event for record in records if (event := self._event(record, offsets))]
            for partition, end in end_offsets.items():
                if partition not in self._held:
                    offsets[partition] = max(offsets[partition], end)
            self._ring.append(events, Position(self._ring.position.topic_id, tuple(offsets)))
        self._monitor.report(self._ring.position)
        snapshot = self._monitor.snapshot
        if (
            snapshot is not None
            and snapshot is not self._noted
            and snapshot.topic.id == self._ring.position.topic_id
        ):
            self._noted = snapshot
            self._ring.note_log_end(snapshot.end)

    def _event(self, record: Record, offsets: list[int]) -> Event | None:
        """Return the event, or None when it is not to be shown; the position moves past it all the same.

        Not past a signpost that has to wait, nor past what follows it: a later session reads that."""
        if record.partition in self._held:
            return None
        offsets[record.partition] = record.offset
        if (signpost := read_signpost(record.value)) is not None and not self._may_pass(
            record, signpost, offsets
        ):
            logger.info("Partition %d waits at offset %d for the others", record.partition, record.offset)
            self._held[record.partition] = record, signpost
            return None
        offsets[record.partition] = record.offset + 1
        if signpost is not None:
            return None
        try:
            read_as = read_event(record.value, self._event_bytes)
        except UnreadableEvent as exc:
            self._skip(record, exc)
            return None
        if self._deduplicator.is_duplicate(read_as):
            self.counts.repeats += 1
            return None
        self.counts.shown += 1
        return Event(*record[:3], record.value or b"", read_as.type, read_as.subject)

    def _may_pass(self, record: Record, signpost: Signpost, offsets: Sequence[int]) -> bool:
        """Return whether everything has been shown that comes before a signpost in other partitions.

        That was so once is enough: what the logs have got since comes later."""
        is_free = (record.partition, record.offset) in self._free
        return is_free or not self._awaited(record, signpost, offsets)

    def _awaited(self, record: Record, signpost: Signpost, offsets: Sequence[int]) -> set[int]:
        """Return the partitions that have to be read further before what follows a signpost.

        What the logs no longer have since is not waited for; only a later answer of the brokers can tell, and not one
        that leaves out partitions which we read: a broker that has no news may answer so."""
        snapshot = self._monitor.snapshot
        knows = snapshot is not None and snapshot.end.at(record.partition) > record.offset
        ends = dict(enumerate(snapshot.end.offsets)) if snapshot is not None and knows else {}
        awaited = set()
        for partition, last in enumerate(signpost.ends):
            is_read = partition < len(offsets)
            end = ends.get(partition, last if is_read or not knows else 0)
            if partition != record.partition and (offsets[partition] if is_read else 0) < min(last, end):
                awaited.add(partition)
        return awaited

    def _is_free(self) -> bool:
        """Return whether a partition that waits at a signpost may go on: a new reader begins there."""
        if not self._held:
            return False
        offsets = self._ring.position.offsets
        awaited = {p: self._awaited(*held, offsets) for p, held in self._held.items()}
        free = {p for p, others in awaited.items() if not others}
        if not free and (circle := _circle(awaited)):
            logger.error("Partitions %s wait for one another: not all their signposts are true", circle)
            free = {min(circle, key=lambda p: self._held[p][0].timestamp_ms)}
        if free:
            self._free = {(p, self._held[p][0].offset) for p in free}
        return bool(free)

    def _without_held(self, end: Position | None, position: Position) -> Position | None:
        """Return where the logs end, but for partitions that wait at a signpost: those are not silent."""
        if end is None or not self._held:
            return end
        offsets = enumerate(end.offsets)
        return Position(
            end.topic_id, tuple(position.at(p) if p in self._held else last for p, last in offsets)
        )

    def _skip(self, record: Record, reason: UnreadableEvent) -> None:
        """Count every unreadable message; of a flood log every hundredth, or the log would be the next flood."""
        self.counts.unreadable += 1
        if self.counts.unreadable <= 1000 or self.counts.unreadable % 100 == 0:
            logger.warning("Skipped partition %d offset %d: %s", record.partition, record.offset, reason)


def _circle(awaited: Mapping[int, set[int]]) -> list[int]:
    """Return partitions at signposts that wait for one another, if there are any.

    Signposts that the command wrote never do: each names what was there before it was written. Those that somebody else
    wrote may, and those of logs of which Kafka has lost a part."""
    waiting = dict(awaited)
    while others := [p for p, each in waiting.items() if not each & waiting.keys()]:
        for partition in others:  # it waits for partitions that go on
            del waiting[partition]
    path: list[int] = []
    following = min(waiting, default=None)
    while following is not None and following not in path:
        path.append(following)
        following = min(waiting[following] & waiting.keys())
    return path[path.index(following) :] if following is not None else []
