"""The ring at one moment: every answer is from the same state."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from consumer.ring.position import Position
from consumer.ring.types import Batch, Event, Rewind


@dataclass(frozen=True, slots=True)
class RingView:
    """An immutable copy of what a ring holds; the batches themselves are shared.

    first: the number of the first batch. known_since_ms: by partition, the earliest time (Kafka's, in ms) from
    which on every event is held or known to be evicted later; absent where no time is known. began: the number of the
    batch that tells everyone of the last new beginning; -1 when there was none.
    """

    batches: Sequence[Batch]
    first: int
    position: Position
    rewinds: Mapping[int, Rewind]
    known_since_ms: Mapping[int, int]
    log_end_number: int
    began: int

    @property
    def floor(self) -> Position:
        """The earliest position that can be resumed from here."""
        return self.batches[0].before if self.batches else self.position

    @property
    def head(self) -> int:
        """The number of the next batch."""
        return self.first + len(self.batches)

    def before(self, number: int) -> Position:
        """Return the position before a batch."""
        return self.batches[number - self.first].before if number < self.head else self.position

    def number_at(self, position: Position) -> int:
        """Return the last batch that begins at or before the position: no later event is in an earlier batch."""
        if position.covers(self.position):
            return self.head
        indexes = range(len(self.batches))
        later = bisect_left(indexes, True, key=lambda i: not position.covers(self.batches[i].before))
        return self.first + max(0, later - 1)

    def before_rewinds(self, position: Position) -> Position:
        """Return the position, lowered where it may be of a log that Kafka has lost: repeats are harmless."""
        return Position(
            position.topic_id,
            tuple(
                rewind.offset
                if (rewind := self.rewinds.get(partition)) and rewind.offset < offset <= rewind.reached
                else offset
                for partition, offset in enumerate(position.offsets)
            ),
        )

    def since(self, timestamp_ms: int) -> Position:
        """Return the position of the first event of each partition that is not older than a time of Kafka's."""
        offsets = list(self.position.offsets)
        for batch in reversed(self.batches):
            for event in batch.events:
                if event.timestamp_ms >= timestamp_ms:
                    offsets[event.partition] = min(offsets[event.partition], event.offset)
        return Position(self.position.topic_id, tuple(offsets))

    def is_complete_since(self, timestamp_ms: int) -> bool:
        """Return whether every event that is not older than a time of Kafka's is held, in every partition."""
        return all(
            (known := self.known_since_ms.get(partition)) is not None and known <= timestamp_ms
            for partition in range(len(self.position.offsets))
        )

    def newest_first(self) -> Iterator[Event]:
        """Iterate over the events, newest first."""
        return (event for batch in reversed(self.batches) for event in reversed(batch.events))
