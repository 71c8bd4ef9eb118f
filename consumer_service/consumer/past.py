"""What is read back at the start of a session, put in order of time.

Partitions are fetched one after the other, but the page shows the newest first: so the records are gathered
up to where the log ended when the session began, and merged by their time. The order within a partition
stays."""

import heapq
from collections.abc import Iterator

from consumer.kafka import Read, Record
from consumer.position import Position

OVERHEAD = 200


class Past:
    def __init__(self, begin: Position, end: Position) -> None:
        self._end = end
        self._reached = list(begin.offsets)
        self._records: list[list[Record]] = [[] for _ in begin.offsets]
        self.ends: dict[int, int] = {}
        self.size = 0

    @property
    def is_complete(self) -> bool:
        return all(reached >= self._end.at(partition) for partition, reached in enumerate(self._reached))

    def add(self, read: Read) -> None:
        for record in read.records:
            self._reached[record.partition] = record.offset + 1
            self._records[record.partition].append(record)
            self.size += len(record.value or b"") + OVERHEAD
        for partition, end in read.ends.items():
            self._reached[partition] = self.ends[partition] = max(end, self._reached[partition])

    def take(self, many: int) -> Iterator[list[Record]]:
        """All that is gathered, oldest first, `many` at a time."""
        gathered, self._records = self._records, [[] for _ in self._records]
        self.size = 0
        merged = heapq.merge(*gathered, key=lambda record: record.timestamp_ms)
        batch: list[Record] = []
        for record in merged:
            batch.append(record)
            if len(batch) == many:
                yield batch
                batch = []
        yield batch
