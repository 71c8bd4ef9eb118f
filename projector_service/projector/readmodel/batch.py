"""A batch: for each partition, the messages from one position to another.

The position is where the consumer stood, not the offset of the first message: compaction, and the markers of
transactions, leave offsets without a message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from projector.readmodel.events import OrderEvent, UnreadableEvent, read_event, read_order_id


class Message(NamedTuple):
    """A message of the topic, read. error: why it cannot be. Without an event and an error it is to be ignored.

    order_id: the order that it is about, None when not even its key tells.
    """

    partition: int
    offset: int
    time: datetime
    key: bytes | None
    value: bytes | None
    order_id: str | None
    event: OrderEvent | None
    error: str | None = None


def read_message(
    partition: int, offset: int, time: datetime, key: bytes | None, value: bytes | None
) -> Message:
    """Read a message's key and value."""
    try:
        event = read_event(value)
    except UnreadableEvent as error:
        return Message(partition, offset, time, key, value, read_order_id(key), None, str(error))
    return Message(partition, offset, time, key, value, event.order_id if event else None, event)


@dataclass(frozen=True, slots=True)
class Slice:
    """All messages of one partition from position `begin` up to position `end`, in order."""

    begin: int
    end: int
    messages: Sequence[Message] = ()


@dataclass(frozen=True)
class Batch:
    """Slices by partition. topic_id: of the topic that they were read from."""

    topic_id: str
    slices: Mapping[int, Slice]

    @property
    def size(self) -> int:
        """How many messages there are."""
        return sum(len(each.messages) for each in self.slices.values())

    def only(self, partitions: set[int]) -> "Batch":
        """Return the part of these partitions."""
        return replace(self, slices={p: each for p, each in self.slices.items() if p in partitions})

    def halves(self) -> tuple["Batch", "Batch"]:
        """Return two batches to be applied one after the other, each smaller than this one of two messages or more."""
        many = [p for p, each in self.slices.items() if len(each.messages)]
        if len(many) > 1:
            first = set(many[: len(many) // 2])
            return self.only(first), self.only(set(self.slices) - first)
        [partition] = many
        whole, rest = self.slices[partition], set(self.slices) - {partition}
        middle = len(whole.messages) // 2
        border = whole.messages[middle].offset
        begin = replace(self, slices={partition: Slice(whole.begin, border, whole.messages[:middle])})
        end = {partition: Slice(border, whole.end, whole.messages[middle:])}
        return begin, replace(self, slices=dict(self.only(rest).slices) | end)

    def refused(self, reason: str) -> "Batch":
        """Return the same batch, its messages marked as impossible to apply."""

        def mark(part: Slice) -> Slice:
            return replace(part, messages=[m._replace(event=None, error=reason) for m in part.messages])

        return replace(self, slices={p: mark(each) for p, each in self.slices.items()})
