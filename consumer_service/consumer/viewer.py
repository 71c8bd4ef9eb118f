"""One viewer: its place in the ring, and what it is to be sent next. Knows no socket."""

from dataclasses import dataclass
from typing import Self

from consumer import sse
from consumer.batch import Batch, Gap, Overrun, Piece
from consumer.position import Position
from consumer.ring import Ring


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


def live(ring: Ring) -> Viewer:
    piece = ring.slice(ring.head, 0)
    return Viewer(piece.number, piece.position)
