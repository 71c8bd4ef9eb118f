"""The events that are read back at the start of a session, put in order of time.

Kafka delivers one partition after the other, but the page shows the newest events first. So the records up to
where the log ended when the session began are gathered, and merged by their time. The order within a partition
stays."""

import heapq
from collections import Counter
from collections.abc import Iterator

from consumer.ring.position import Position
from consumer.topic.kafka import Read, Record

RECORD_OVERHEAD = 200


class Backfill:
    """Gathers what is read from `begin` until `end`."""

    def __init__(self, begin: Position, end: Position) -> None:
        self._end = end
        self._begin = list(begin.offsets)
        self._reached = list(begin.offsets)
        self._records: list[list[Record]] = [[] for _ in begin.offsets]
        self.end_offsets: dict[int, int] = {}
        self.size = 0

    @property
    def is_complete(self) -> bool:
        """Whether every partition has been read up to `end`."""
        return all(reached >= self._end.at(partition) for partition, reached in enumerate(self._reached))

    def add(self, read: Read) -> None:
        """Add the result of one read."""
        for record in read.records:
            self._reached[record.partition] = record.offset + 1
            self._records[record.partition].append(record)
            self.size += _size(record)
        for partition, end in read.end_offsets.items():
            self._reached[partition] = self.end_offsets[partition] = max(end, self._reached[partition])

    def take(self, batch_size: int) -> Iterator[list[Record]]:
        """Hand over everything gathered so far, oldest first, in batches; the last one may be empty."""
        gathered, self._records = self._records, [[] for _ in self._records]
        self.size = 0
        batch: list[Record] = []
        for record in _merged(gathered):
            batch.append(record)
            if len(batch) == batch_size:
                yield batch
                batch = []
        yield batch

    def drop_oldest(self, size: int) -> Position:
        """Drop the oldest of what was gathered until `size` bytes are left; return the position after that."""
        dropped: Counter[int] = Counter()
        for record in _merged(self._records):
            if self.size <= size:
                break
            self.size -= _size(record)
            self._begin[record.partition] = record.offset + 1
            dropped[record.partition] += 1
        for partition, count in dropped.items():
            del self._records[partition][:count]
        return Position(self._end.topic_id, tuple(self._begin))


def _merged(gathered: list[list[Record]]) -> Iterator[Record]:
    return heapq.merge(*gathered, key=lambda record: record.timestamp_ms)


def _size(record: Record) -> int:
    return len(record.value or b"") + RECORD_OVERHEAD
