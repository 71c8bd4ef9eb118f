"""The SSE id: a position in the whole topic, which any replica can resume from.

`<Kafka topic id>;0:120,1:98` is the next offset to read of every partition, in order. The topic id tells a
recreated topic of the same name apart: the old topic's offsets mean nothing in it."""

import re
from dataclasses import dataclass
from typing import Self

MAX_LENGTH = 8192
FORM = re.compile(r"([A-Za-z0-9_-]{22});([0-9]{1,6}:[0-9]{1,18}(?:,[0-9]{1,6}:[0-9]{1,18})*)")


class UnreadablePosition(ValueError):
    """The text is not a position."""


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset of every partition of one topic."""

    topic_id: str
    offsets: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a position from its text form. Raises UnreadablePosition."""
        match = FORM.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise UnreadablePosition(text[:100])
        pairs = [tuple(map(int, pair.split(":"))) for pair in match[2].split(",")]
        if [partition for partition, _ in pairs] != list(range(len(pairs))):
            raise UnreadablePosition(text[:100])
        return cls(match[1], tuple(offset for _, offset in pairs))

    def __str__(self) -> str:
        pairs = ",".join(f"{partition}:{offset}" for partition, offset in enumerate(self.offsets))
        return f"{self.topic_id};{pairs}"

    def at(self, partition: int) -> int:
        """Return the next offset of a partition; 0 for one that was added later, which is all still to come."""
        return self.offsets[partition] if partition < len(self.offsets) else 0

    def covers(self, other: Self) -> bool:
        """Return whether everything before `other` is before this position too."""
        return all(self.at(partition) >= offset for partition, offset in enumerate(other.offsets))

    def lost_until(self, later: Self) -> dict[str, list[int]]:
        """Return the offsets from this position to a later one, by partition: [first, one past the last]."""
        return {
            str(partition): [self.at(partition), offset]
            for partition, offset in enumerate(later.offsets)
            if offset > self.at(partition)
        }

    def no_earlier_than(self, floor: Self) -> Self:
        """Return this position with every offset raised to at least that of `floor`."""
        partitions = range(max(len(self.offsets), len(floor.offsets)))
        return type(self)(floor.topic_id, tuple(max(self.at(p), floor.at(p)) for p in partitions))
