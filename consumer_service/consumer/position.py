"""The SSE id: a place in the whole topic, which any replica can resume from.

`<Kafka topic id>;0:120,1:98` is the next offset to read of every partition, in order. The topic id tells a
recreated topic of the same name apart: its offsets mean nothing here."""

import re
from dataclasses import dataclass
from typing import Self

LONGEST = 8192
FORM = re.compile(r"([A-Za-z0-9_-]{22});([0-9]{1,6}:[0-9]{1,18}(?:,[0-9]{1,6}:[0-9]{1,18})*)")


class UnreadablePosition(ValueError):
    """This is not a position."""


@dataclass(frozen=True, slots=True)
class Position:
    topic_id: str
    offsets: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        match = FORM.fullmatch(text) if len(text) <= LONGEST else None
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
        """A partition this position does not know was added later: all of it is still to come."""
        return self.offsets[partition] if partition < len(self.offsets) else 0

    def covers(self, other: Self) -> bool:
        """Everything before `other` is before this one too."""
        return all(self.at(partition) >= offset for partition, offset in enumerate(other.offsets))

    def lost_until(self, later: Self) -> dict[str, list[int]]:
        """The offsets between this position and a later one, by partition: [first, one past the last]."""
        return {
            str(partition): [self.at(partition), offset]
            for partition, offset in enumerate(later.offsets)
            if offset > self.at(partition)
        }

    def no_earlier_than(self, floor: Self) -> Self:
        partitions = range(max(len(self.offsets), len(floor.offsets)))
        return type(self)(floor.topic_id, tuple(max(self.at(p), floor.at(p)) for p in partitions))
