"""What the ring is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from consumer.position import Position

Reason = Literal["expired", "epoch", "unreadable", "overflow"]

EVENT_OVERHEAD = 200
BATCH_OVERHEAD = 350


class Event(NamedTuple):
    partition: int
    offset: int
    timestamp_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """What a viewer is told when events between two positions cannot be sent to it."""

    reason: Reason
    start: Position | None
    end: Position

    @property
    def lost(self) -> dict[str, list[int]]:
        known = self.start is not None and self.start.topic_id == self.end.topic_id
        return self.start.lost_until(self.end) if known and self.start else {}


@dataclass(frozen=True, slots=True)
class Batch:
    before: Position
    events: tuple[Event, ...]
    gap: Gap | None = None

    @property
    def size(self) -> int:
        return BATCH_OVERHEAD + sum(len(event.payload) + EVENT_OVERHEAD for event in self.events)


class Piece(NamedTuple):
    """Some batches in a row, the number that follows them, and the position after them."""

    batches: Sequence[Batch]
    number: int
    position: Position


class Overrun(Exception):
    """The batch asked for was evicted; the ring now begins later."""

    def __init__(self, number: int, floor: Position) -> None:
        super().__init__(number)
        self.number = number
        self.floor = floor
