"""One viewer: where it begins, and what it is to be sent next. Knows no socket."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from consumer import sse
from consumer.position import Position, UnreadablePosition
from consumer.ring import Batch, Gap, Overrun, Piece, Ring


@dataclass(slots=True)
class Viewer:
    """`number` is the batch to send next; `since` hides what the viewer had before it came back."""

    number: int
    position: Position
    since: Position | None = None
    gap: Gap | None = None

    def greeting(self, state: str) -> bytes:
        """Its status bears the position *before* what follows: cut here, the viewer comes back to the
        same."""
        start = self.gap.start if self.gap and self.gap.start else self.position
        return sse.status(state, start) + (sse.gap(self.gap) if self.gap else b"")

    def take(self, ring: Ring, max_bytes: int) -> bytes:
        """The next blocks, or none when the viewer has everything."""
        try:
            piece = ring.slice(self.number, max_bytes)
        except Overrun as overrun:
            return self._overrun(overrun)
        since, self.number, self.position = self.since, piece.number, piece.position
        if since and piece.batches and piece.batches[-1].before.covers(since):
            self.since = None
        return encode(piece, since)

    def refreshed(self, ring: Ring) -> Self:
        """The position moves past what is not shown, too."""
        try:
            self.position = ring.slice(self.number, 0).position
        except Overrun:
            return self  # the gap comes with the next `take`
        return self

    def _overrun(self, overrun: Overrun) -> bytes:
        same = self.position.topic_id == overrun.floor.topic_id
        gap = Gap("overflow" if same else "epoch", self.position, overrun.floor)
        self.number, self.position = overrun.number, overrun.floor
        return sse.gap(gap)


def encode(piece: Piece, since: Position | None = None) -> bytes:
    """The blocks of some batches; the last one bears the position after them."""
    blocks = []
    payloads: list[bytes] = []
    for batch in piece.batches:
        if batch.gap:
            if payloads:
                blocks.append(sse.events(payloads, batch.before))
            blocks.append(sse.gap(batch.gap))
            payloads = []
        payloads += _unseen(batch, since)
    if payloads:
        blocks.append(sse.events(payloads, piece.position))
    return b"".join(blocks)


def _unseen(batch: Batch, since: Position | None) -> list[bytes]:
    if since is None or batch.before.covers(since):
        return [event.payload for event in batch.events]
    return [event.payload for event in batch.events if event.offset >= since.at(event.partition)]


def arrive(ring: Ring, last_event_id: str | None, start: str | None) -> Viewer:
    """Where a viewer begins: its Last-Event-ID, else `?from=` (a position or a time), else live."""
    if last_event_id:
        return _resume(ring, last_event_id)
    if start:
        return _resume(ring, start) if ";" in start else _since_time(ring, start)
    return live(ring)


def live(ring: Ring) -> Viewer:
    piece = ring.slice(ring.head, 0)
    return Viewer(piece.number, piece.position)


def _unreadable(ring: Ring) -> Viewer:
    viewer = live(ring)
    viewer.gap = Gap("unreadable", None, viewer.position)
    return viewer


def _resume(ring: Ring, text: str) -> Viewer:
    try:
        position = Position.parse(text)
    except UnreadablePosition:
        return _unreadable(ring)
    if position.topic_id != ring.position.topic_id:
        viewer = live(ring)
        viewer.gap = Gap("epoch", position, viewer.position)
        return viewer
    return _from(ring, position, position)


def _from(ring: Ring, position: Position, told: Position | None) -> Viewer:
    """A position ahead of ours is no error: another replica was faster. It begins live; repeats are
    harmless."""
    floor = ring.floor
    begin = position.no_earlier_than(floor)
    gap = None if position.covers(floor) else Gap("expired", told, begin)
    number = ring.number_at(begin)
    live = begin.covers(ring.position)
    return Viewer(number, begin, since=None if live else begin, gap=gap)


def _since_time(ring: Ring, text: str) -> Viewer:
    """From the first event of each partition that is not older; if the ring begins later, that is said."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return _unreadable(ring)
    # Kafka's clock has whole milliseconds: a finer time would skip what came in the same one.
    since_ms = math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    batches, position = ring.snapshot()
    offsets = list(position.offsets)
    for batch in reversed(batches):
        for event in batch.events:
            if event.timestamp_ms >= since_ms:
                offsets[event.partition] = min(offsets[event.partition], event.offset)
    begin = Position(position.topic_id, tuple(offsets))
    viewer = _from(ring, begin, begin)
    if _begins_after(batches, since_ms) and any(ring.floor.offsets):
        viewer.gap = Gap("expired", None, viewer.position)
    return viewer


def _begins_after(batches: list[Batch], since_ms: int) -> bool:
    oldest = next((batch.events[0] for batch in batches if batch.events), None)
    return oldest is None or oldest.timestamp_ms > since_ms
