"""What the ring consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from consumer.ring.position import Position

GapReason = Literal["expired", "recreated", "unreadable", "overflow"]

EVENT_OVERHEAD = 200
BATCH_OVERHEAD = 350


class Event(NamedTuple):
    """An event as it came from Kafka: its place, Kafka's time, and its bytes."""

    partition: int
    offset: int
    timestamp_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """What a viewer is told when the events between two positions cannot be sent to it."""

    reason: GapReason
    start: Position | None
    end: Position

    @property
    def lost(self) -> dict[str, list[int]]:
        """The lost offsets by partition, [first, one past the last]; empty when they are unknown."""
        if self.start is None or self.start.topic_id != self.end.topic_id:
            return {}
        return self.start.lost_until(self.end)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that were read together, with the position before them; or a gap in their place."""

    before: Position
    events: tuple[Event, ...]
    gap: Gap | None = None

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return BATCH_OVERHEAD + sum(len(event.payload) + EVENT_OVERHEAD for event in self.events)

    @property
    def reached(self) -> Position:
        """The position of whoever has everything before this batch and has not been told of its gap yet.

        Where reading began anew, that is a position in the old log: with one in the new log it would resume
        without being told."""
        if self.gap is not None and self.gap.reason == "recreated" and self.gap.start is not None:
            return self.gap.start
        return self.before


class Rewind(NamedTuple):
    """Where reading of a partition began anew after Kafka lost its end, and how far it had been read by then."""

    offset: int
    reached: int


class Slice(NamedTuple):
    """Consecutive batches, the number of the batch that follows them, and the position after them."""

    batches: Sequence[Batch]
    number: int
    position: Position


class Evicted(Exception):
    """The requested batch was evicted; the ring now begins with batch `number`, at position `floor`."""

    def __init__(self, number: int, floor: Position) -> None:
        super().__init__(number)
        self.number = number
        self.floor = floor
