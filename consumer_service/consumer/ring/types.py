"""What the ring consists of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from consumer.ring.position import Position

GapReason = Literal["expired", "recreated", "unreadable", "overflow"]

EVENT_OVERHEAD = 290  # the object, its numbers and its subject
BATCH_OVERHEAD = 350
BATCH_BYTES = 8 << 10


class Event(NamedTuple):
    """An event as it came from Kafka: its place, Kafka's time, its bytes, and what filters ask: its type and subject
    (the order's id)."""

    partition: int
    offset: int
    timestamp_ms: int
    payload: bytes
    type: str = ""
    subject: str = ""

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.payload) + EVENT_OVERHEAD


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
    """Consecutive events, with the position before them; or a gap in their place.

    before: where one begins who is to be sent the batch and has nothing. After a new beginning of the ring that is
    another log than `left_off`, where those stand who were sent everything before the batch.
    """

    before: Position
    events: tuple[Event, ...]
    gap: Gap | None = None

    @property
    def left_off(self) -> Position:
        """The position after the previous batch: only the gap itself may move anyone past it."""
        return self.gap.start if self.gap and self.gap.start else self.before

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return BATCH_OVERHEAD + sum(event.size for event in self.events)


def split(before: Position, events: Iterable[Event]) -> Iterator[Batch]:
    """Divide events that were read together into batches of about BATCH_BYTES, at least one event each.

    A viewer is sent whole batches and the ring evicts whole batches, so a batch of megabytes would be encoded for
    each of thousands of lagging viewers, or be evicted before anyone was sent it."""
    part: list[Event] = []
    size = 0
    for event in events:
        if part and size + event.size > BATCH_BYTES:
            yield Batch(before, tuple(part))
            before = _after(before, part)
            part, size = [], 0
        part.append(event)
        size += event.size
    if part:
        yield Batch(before, tuple(part))


def _after(before: Position, events: Iterable[Event]) -> Position:
    """Return the position after events that are in order in each partition."""
    reached = {event.partition: event.offset + 1 for event in events}
    partitions = range(max(len(before.offsets), *(partition + 1 for partition in reached)))
    return Position(before.topic_id, tuple(reached.get(p, before.at(p)) for p in partitions))


class Rewind(NamedTuple):
    """Where reading of a partition began anew after Kafka lost its end, and how far it had been read by then."""

    offset: int
    reached: int


class Slice(NamedTuple):
    """Consecutive batches, the number of the batch that follows them, and the position after them."""

    batches: Sequence[Batch]
    number: int
    position: Position


class FoundTime(NamedTuple):
    """Where the first events of each partition are that are not older than a time.

    is_complete: whether none of them can have been deleted by retention."""

    position: Position
    is_complete: bool


class Evicted(Exception):
    """The requested batch was evicted; the ring now begins with batch `number`, at position `floor`.

    is_anew: the ring has begun anew since the requested batch, so offsets from before mean nothing at `floor`.
    """

    def __init__(self, number: int, floor: Position, is_anew: bool) -> None:
        super().__init__(number)
        self.number = number
        self.floor = floor
        self.is_anew = is_anew
