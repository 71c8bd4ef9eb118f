"""One viewer: its place in the ring, and what it is to be sent next. Knows no sockets."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from consumer.fanout import sse
from consumer.fanout.filter import EVERYTHING, Filter
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Batch, Event, Evicted, Gap, Rewind, Slice

Encode = Callable[[Slice, Position | None], bytes]


@dataclass(slots=True)
class Replaying:
    """A viewer's way to the live ones from a time, or from a place that is older than the ring (replaying.py).

    rewinds: those of the ring that its position takes into account. since_ms: the time, Kafka's, whose position is not
    known yet. has_joined: whether its place is in the ring. state: what its status says.
    """

    rewinds: Mapping[int, Rewind]
    since_ms: int | None = None
    has_joined: bool = False
    state: Literal["waiting", "reading"] = "waiting"


@dataclass(slots=True)
class Viewer:
    """A viewer's place in the ring, or on its way to the ring.

    number: the batch to send next. position: the id of what it was sent last. since: what the viewer had before
    it came back, in partitions where it is ahead of the next batch: that is not sent again, and no id is
    earlier. gap: what it must be told first. log_end_number: see Ring.log_end_after. filter: which events it wants;
    its position moves past the others. replaying: until it is live, if it begins in the past (see there).
    """

    number: int
    position: Position
    since: Position | None = None
    gap: Gap | None = None
    log_end_number: int = 0
    filter: Filter = EVERYTHING
    replaying: Replaying | None = None

    @property
    def is_behind(self) -> bool:
        """Whether its place is not in the ring yet."""
        return self.replaying is not None and not self.replaying.has_joined

    def status(self, state: str) -> bytes:
        """Return the status as it is for this viewer."""
        if self.replaying is None:
            return sse.status(state, self.position)
        position = None if self.replaying.since_ms is not None else self.position
        return sse.status(state, position, self.replaying.state)

    def greeting(self, state: str) -> bytes:
        """Return the first blocks: the status and, if there is one, the gap.

        The status bears the position *before* what follows: a viewer that is cut off here resumes the same. Where that
        is unknown it bears no id, and the viewer asks the same again."""
        if self.gap is None:
            return self.status(state)
        replay = self.replaying.state if self.replaying else ""
        start = self.gap.start or self.position
        has_id = self.gap.start is not None
        return sse.status(state, start, replay, gap_follows=True, has_id=has_id) + sse.gap(self.gap)

    def take(
        self, ring: Ring, max_bytes: int, until: int | None = None, encode: Encode | None = None
    ) -> bytes:
        """Move on and return the next blocks, about `max_bytes` at most; empty when there is nothing to send.

        until: the batch to stop before. encode: by default the function below; another may share its results.
        """
        try:
            piece = ring.slice(self.number, max_bytes, until)
        except Evicted as evicted:
            return self._skip_evicted(evicted)
        data = encode(piece, self.since) if encode else encode_slice(piece, self.since, self.filter)
        self.number = piece.number
        self._move_to(piece.position, _since_after(piece, self.since))
        return data

    def check_position(self, ring: Ring) -> bytes:
        """Return a gap for a viewer whose position Kafka does not have, else nothing.

        A viewer ahead of us comes from a faster replica and waits until we have read as far. But where Kafka's
        log ends before its position, that part of the log was lost, and what takes its place would be hidden."""
        if self.since is None or (end := ring.log_end_after(self.log_end_number)) is None:
            return b""
        lost = any(self.since.at(partition) > offset for partition, offset in enumerate(end.offsets))
        if end.topic_id != self.since.topic_id or not lost:
            return b""
        try:
            position = ring.slice(self.number, 0).position
        except Evicted:
            return b""  # the next `take` sends a gap
        gap = Gap("recreated", self.since, position)
        self.position, self.since = position, None
        return sse.gap(gap)

    def refreshed(self, ring: Ring) -> Self:
        """Move the position past messages that are not shown; return the viewer."""
        try:
            piece = ring.slice(self.number, 0)
        except Evicted:
            return self  # the next `take` sends the gap
        self._move_to(piece.position, self.since)
        return self

    def joined_by(self, other: "Viewer") -> None:
        """Let another viewer share this place: it may have been told a position past messages that are not shown."""
        if other.position.topic_id == self.position.topic_id:
            self.position = self.position.no_earlier_than(other.position)

    def _move_to(self, position: Position, since: Position | None) -> None:
        if since is None or since.topic_id != position.topic_id or position.covers(since):
            self.position, self.since = position, None
        else:
            self.position, self.since = position.no_earlier_than(since), since

    def _skip_evicted(self, evicted: Evicted) -> bytes:
        if self.replaying is not None and not evicted.is_anew:
            # The ring moved on before this viewer was live: Kafka has it. Its position says all that it has.
            self.replaying.has_joined, self.since = False, None
            return b""
        since = None if evicted.is_anew else self.since
        end = _merged(evicted.floor, since)
        gap = Gap("recreated" if evicted.is_anew else "overflow", self.position, end)
        self.number = evicted.number
        self._move_to(evicted.floor, since)
        return sse.gap(gap)


def encode_slice(piece: Slice, since: Position | None = None, wanted: Filter = EVERYTHING) -> bytes:
    """Encode batches as blocks; the last block bears the position after them. since: see Viewer."""
    blocks = []
    payloads: list[bytes] = []
    for batch in piece.batches:
        since = _valid(since, batch)
        if batch.gap:
            if payloads:
                blocks.append(sse.events(payloads, _merged(batch.before, since)))
            blocks.append(sse.gap(_gap_since(batch.gap, since)))
            payloads = []
        payloads += _unseen(batch, since, wanted)
    if payloads:
        blocks.append(sse.events(payloads, _merged(piece.position, since)))
    return b"".join(blocks)


def _since_after(piece: Slice, since: Position | None) -> Position | None:
    for batch in piece.batches:
        since = _valid(since, batch)
    return since


def _valid(since: Position | None, batch: Batch) -> Position | None:
    """Return `since` unless the batch begins a new log, whose offsets it knows nothing about."""
    return None if batch.gap is not None and batch.gap.reason == "recreated" else since


def _merged(position: Position, since: Position | None) -> Position:
    return position if since is None else position.no_earlier_than(since)


def _gap_since(gap: Gap, since: Position | None) -> Gap:
    """Return the gap without what the viewer had already."""
    start = None if gap.start is None else _merged(gap.start, since)
    return Gap(gap.reason, start, _merged(gap.end, since))


def _unseen(batch: Batch, since: Position | None, wanted: Filter) -> list[bytes]:
    events: Iterable[Event] = batch.events
    if since is not None and not batch.before.covers(since):
        events = (event for event in events if event.offset >= since.at(event.partition))
    if wanted != EVERYTHING:
        events = filter(wanted.passes, events)
    return [event.payload for event in events]


def live(ring: Ring, wanted: Filter = EVERYTHING) -> Viewer:
    """Return a viewer that begins with the next event."""
    end = ring.end()
    return Viewer(end.number, end.position, filter=wanted)
