"""One viewer: its place in the ring, and what it is to be sent next. Knows no sockets."""

from dataclasses import dataclass
from typing import Self

from consumer.fanout import sse
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Batch, Evicted, Gap, Slice


@dataclass(slots=True)
class Viewer:
    """A viewer's place in the ring.

    number: the batch to send next. since: what the viewer had before it came back, which is not sent again.
    gap: what it must be told first.
    """

    number: int
    position: Position
    since: Position | None = None
    gap: Gap | None = None

    def greeting(self, state: str) -> bytes:
        """Return the first blocks: the status and, if there is one, the gap.

        The status bears the position *before* what follows: a viewer that is cut off here resumes the same."""
        start = self.gap.start if self.gap and self.gap.start else self.position
        return sse.status(state, start) + (sse.gap(self.gap) if self.gap else b"")

    def take(self, ring: Ring, max_bytes: int) -> bytes:
        """Move on and return the next blocks, about `max_bytes` at most; empty when the viewer has everything."""
        try:
            piece = ring.slice(self.number, max_bytes)
        except Evicted as evicted:
            return self._skip_evicted(evicted)
        since, self.number, self.position = self.since, piece.number, piece.position
        if since and piece.batches and piece.batches[-1].before.covers(since):
            self.since = None
        return encode(piece, since)

    def refreshed(self, ring: Ring) -> Self:
        """Move the position past messages that are not shown; return the viewer."""
        try:
            self.position = ring.slice(self.number, 0).position
        except Evicted:
            return self  # the next `take` sends the gap
        return self

    def _skip_evicted(self, evicted: Evicted) -> bytes:
        same = self.position.topic_id == evicted.floor.topic_id
        gap = Gap("overflow" if same else "recreated", self.position, evicted.floor)
        self.number, self.position = evicted.number, evicted.floor
        return sse.gap(gap)


def encode(piece: Slice, since: Position | None = None) -> bytes:
    """Encode batches as blocks; the last block bears the position after them. since: see Viewer."""
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


def live(ring: Ring) -> Viewer:
    """Return a viewer that begins with the next event."""
    piece = ring.slice(ring.head, 0)
    return Viewer(piece.number, piece.position)
