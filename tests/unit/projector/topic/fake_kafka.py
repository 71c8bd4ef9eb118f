"""A topic and a member of its group, in memory."""

from collections.abc import Iterable, Mapping

from projector.readmodel.batch import Message
from projector.readmodel.placement import Log
from projector.topic.kafka import KafkaUnavailable, Read, TopicInfo
from tests.unit.projector.messages import TOPIC_ID


class FakeTopic:
    """Logs by partition. beginnings: the first offset that is still there. down: asked in vain. leaderless: the same of
    partitions, and of all with which they are asked about."""

    def __init__(self, partitions: int = 2) -> None:
        self.id = TOPIC_ID
        self.logs_of: dict[int, list[Message]] = {p: [] for p in range(partitions)}
        self.beginnings = dict.fromkeys(range(partitions), 0)
        self.down = False
        self.leaderless: set[int] = set()

    def describe(self) -> TopicInfo:
        if self.down:
            raise KafkaUnavailable("no answer")
        return TopicInfo(self.id, len(self.logs_of))

    def logs(self, partitions: Iterable[int]) -> dict[int, Log]:
        if self.down:
            raise KafkaUnavailable("no answer")
        if self.leaderless & set(partitions):
            raise KafkaUnavailable("no leader")
        return {p: Log(self.beginnings[p], self.end(p)) for p in partitions}

    def end(self, partition: int) -> int:
        log = self.logs_of[partition]
        return max(self.beginnings[partition], log[-1].offset + 1 if log else 0)

    def append(self, *messages: Message) -> None:
        for message in messages:
            self.logs_of[message.partition].append(message)


class FakeMember:
    """Reads the partitions that a test assigns, up to `batch` messages of each at a time."""

    def __init__(self, topic: FakeTopic, batch: int = 1000) -> None:
        self._topic, self._batch = topic, batch
        self._at: dict[int, int] = {}
        self.assigned: set[int] = set()
        self.unplaced: set[int] = set()
        self.told: dict[int, int] = {}
        self.seeks: list[tuple[int, int]] = []
        self.not_seekable: set[int] = set()
        self.halted: set[int] = set()
        self.closed = False
        self.reads = 0

    def assign(self, *partitions: int) -> None:
        self.assigned |= set(partitions)
        self.unplaced |= set(partitions)

    def revoke(self, *partitions: int) -> None:
        self.assigned -= set(partitions)
        self.unplaced -= set(partitions)

    def read(self, timeout_s: float) -> Read:
        self.reads += 1
        messages: list[Message] = []
        ends: dict[int, int] = {}
        for partition in sorted(self.assigned - self.unplaced - self.halted):
            if self._at[partition] < self._topic.beginnings[partition]:
                self.unplaced.add(partition)  # out of range
                continue
            new = [m for m in self._topic.logs_of[partition] if m.offset >= self._at[partition]][
                : self._batch
            ]
            if new:
                self._at[partition] = new[-1].offset + 1
                messages += new
            if self._at[partition] >= self._topic.end(partition):
                ends[partition] = self._at[partition]
        return Read(messages, ends, frozenset(self.assigned), frozenset(self.unplaced))

    def begin(self, offsets: Mapping[int, int]) -> None:
        for partition, offset in offsets.items():
            if partition in self.assigned - self.not_seekable:
                self.seeks.append((partition, offset))
                self._at[partition] = offset
                self.unplaced.discard(partition)

    def pause(self, partitions: Iterable[int]) -> None:
        self.unplaced |= set(partitions) & self.assigned

    def tell_offsets(self, offsets: Mapping[int, int]) -> None:
        self.told |= offsets

    def close(self) -> None:
        self.closed = True

    def take(self, partitions: Iterable[int]) -> None:
        """Assign those that are not assigned yet, as a reader outside of the group does."""
        self.assign(*set(partitions) - self.assigned)

    def halt(self, partitions: Iterable[int]) -> None:
        self.halted |= set(partitions)
