"""A Kafka topic in memory, behind the names of confluent_kafka that `consumer.topic.kafka` uses.

So the real TopicAdmin and TopicReader are part of what is simulated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.simulation.stream.scheduler import Scheduler

TOPIC = "orders"
OFFSET_INVALID = -1001
NO_OFFSET = -1

Key = tuple[int, int]
"""An order's number and a version."""


@dataclass(slots=True)
class Entry:
    """What stands at one offset. key: of an event that a viewer must be shown. is_visible: no reader is given a
    transaction marker or an aborted message. is_first: no earlier entry holds the same event."""

    value: bytes | None
    key: Key | None
    timestamp_ms: int
    at: float
    is_visible: bool = True
    is_first: bool = False


@dataclass(slots=True)
class Log:
    """One partition. first: the first offset that retention has left."""

    entries: list[Entry] = field(default_factory=list)
    first: int = 0

    @property
    def end(self) -> int:
        return len(self.entries)

    def offset_since(self, since_ms: int) -> int:
        """Return the first offset that is left and not older, -1 if there is none."""
        offsets = range(self.first, self.end)
        return next(
            (offset for offset in offsets if self.entries[offset].timestamp_ms >= since_ms), NO_OFFSET
        )


class Cluster:
    """The brokers, and the topic with all its earlier incarnations."""

    def __init__(self, scheduler: Scheduler, partitions: int, fetch: int) -> None:
        """fetch: how many messages a reader is given at once."""
        self.scheduler = scheduler
        self.fetch = fetch
        self.incarnations: dict[str, list[Log]] = {}
        self.topic_id = ""
        self.is_down = False
        self.leaderless: dict[int, str] = {}
        self.lagging: set[tuple[str, int]] = set()
        self.readers: list[FakeConsumer] = []
        self.keys: dict[str, set[Key]] = {}
        self.flood: Callable[[], None] | None = None
        self.create(partitions)

    @property
    def logs(self) -> list[Log]:
        return self.incarnations[self.topic_id]

    def create(self, partitions: int) -> None:
        """Create the topic (anew)."""
        self.topic_id = "ABCDEFGHIJ"[len(self.incarnations)] * 22
        self.incarnations[self.topic_id] = [Log() for _ in range(partitions)]
        self.keys[self.topic_id] = set()
        self.leaderless.clear()

    def append(self, partition: int, entry: Entry) -> int:
        """Append an entry; return its offset."""
        log = self.logs[partition]
        if entry.key is not None:
            known = self.keys[self.topic_id]
            entry.is_first = entry.key not in known
            known.add(entry.key)
        log.entries.append(entry)
        return log.end - 1

    def cut_back(self, partition: int, end: int) -> list[Entry]:
        """Lose everything from `end` on, as when a leader comes back without its tail; return what was lost.

        A reader that was past it is told, even when the log has grown again (KIP-320)."""
        log = self.logs[partition]
        lost = log.entries[end:]
        del log.entries[end:]
        self.keys[self.topic_id] -= {entry.key for entry in lost if entry.is_first and entry.key}
        for reader in self.readers:
            if reader.positions.get(partition, 0) > end:
                reader.diverged.add(partition)
        return lost

    def is_read_by(self, name: str) -> bool:
        """Return whether a replica's tail has a reader to which nothing has happened yet."""
        return any(reader.owner == name and reader.is_whole for reader in self.readers)

    def answers(self, partition: int) -> bool:
        """Return whether the partition can be read now."""
        return not self.is_down and partition not in self.leaderless


class FakeMessage:
    """As confluent's Message: false when its value is empty, and with headers that cannot always be read."""

    def __init__(
        self, partition: int, offset: int, entry: Entry | None, error: KafkaError | None = None
    ) -> None:
        self._partition = partition
        self._offset = offset
        self._entry = entry
        self._error = error

    def __len__(self) -> int:
        return len(self.value() or b"")

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return self._error

    def value(self) -> bytes | None:
        if self._error:
            return self._error.str().encode()
        return self._entry.value if self._entry else None

    def timestamp(self) -> tuple[int, int]:
        return 1, self._entry.timestamp_ms if self._entry else -1

    def headers(self) -> list[tuple[str, bytes]]:
        raise SystemError("a header's name is not UTF-8")

    def key(self) -> bytes | None:
        return None


class FakeConsumer:
    """confluent_kafka.Consumer without a group, with enable.partition.eof and auto.offset.reset=error."""

    def __init__(self, cluster: Cluster, **_: object) -> None:
        self._cluster = cluster
        self._scheduler = cluster.scheduler
        actor = self._scheduler.current
        self.owner = actor.name.split("'")[0] if actor and actor.name.endswith("tail") else ""
        self.positions: dict[int, int] = {}
        self.diverged: set[int] = set()
        self._broken: set[int] = set()
        self._eof_at: dict[int, int] = {}
        self.is_silent = False
        cluster.readers.append(self)

    @property
    def is_whole(self) -> bool:
        """Whether no partition has been given up or is about to be."""
        return not self._broken and not self.diverged

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.positions = {p.partition: p.offset for p in partitions}

    def poll(self, timeout: float) -> FakeMessage | None:
        self._scheduler.pause("polling Kafka")
        if self._cluster.flood and self.owner:
            self._cluster.flood()
        self._scheduler.wait(self._has_next, timeout, "Kafka's next message")
        return self._next()

    def consume(self, number: int, timeout: float) -> list[FakeMessage]:
        found: list[FakeMessage] = []
        while len(found) < min(number, self._cluster.fetch - 1):
            message = self._next()
            if message is None:
                break
            found.append(message)
        return found

    def close(self) -> None:
        if self in self._cluster.readers:
            self._cluster.readers.remove(self)

    def _has_next(self) -> bool:
        return any(self._is_due(partition) for partition in self.positions)

    def _is_due(self, partition: int) -> bool:
        cluster = self._cluster
        if (
            self.is_silent
            or partition in self._broken
            or not cluster.answers(partition)
            or partition >= len(cluster.logs)
        ):
            return False
        if (self.owner, partition) in cluster.lagging:
            return False
        log, position = cluster.logs[partition], self.positions[partition]
        return position != log.end or partition in self.diverged or self._eof_at.get(partition) != position

    def _next(self) -> FakeMessage | None:
        for partition in self.positions:
            while self._is_due(partition):
                message = self._from(partition)
                if message is not None:
                    # The next one comes from another partition, if there is one.
                    self.positions[partition] = self.positions.pop(partition)
                    return message
        return None

    def _from(self, partition: int) -> "FakeMessage | None":
        log, position = self._cluster.logs[partition], self.positions[partition]
        if not log.first <= position <= log.end or partition in self.diverged:
            self._broken.add(partition)
            return FakeMessage(partition, position, None, KafkaError(KafkaError._AUTO_OFFSET_RESET))
        if position == log.end:
            self._eof_at[partition] = position
            return FakeMessage(partition, position, None, KafkaError(KafkaError._PARTITION_EOF))
        self.positions[partition] = position + 1
        entry = log.entries[position]
        return FakeMessage(partition, position, entry) if entry.is_visible else None


class Answer:
    """A future that has its result."""

    def __init__(self, result: Any = None, error: KafkaError | None = None) -> None:
        self._result = result
        self._error = error

    def result(self, timeout: float | None = None) -> Any:
        if self._error is not None:
            raise KafkaException(self._error)
        return self._result


@dataclass(frozen=True)
class Described:
    """What describe_topics answers."""

    topic_id: str
    partitions: list[int]


@dataclass(frozen=True)
class ListedOffset:
    """What list_offsets answers for one partition."""

    offset: int


class FakeAdminClient:
    """confluent_kafka.admin.AdminClient; an answer may be old by the time it arrives."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def describe_topics(self, _topics: object, **_: object) -> dict[str, Answer]:
        cluster = self._cluster
        cluster.scheduler.pause("asking Kafka for the topic")
        if cluster.is_down:
            answer = Answer(error=KafkaError(KafkaError._TIMED_OUT))
        else:
            answer = Answer(Described(cluster.topic_id, list(range(len(cluster.logs)))))
        cluster.scheduler.pause("having Kafka's answer about the topic")
        return {TOPIC: answer}

    def list_offsets(
        self, wanted: Mapping[TopicPartition, object], **_: object
    ) -> dict[TopicPartition, Answer]:
        cluster = self._cluster
        cluster.scheduler.pause("asking Kafka for offsets")
        answers = {tp: self._listed(tp.partition, which) for tp, which in wanted.items()}
        cluster.scheduler.pause("having Kafka's answer about offsets")
        return answers

    def _listed(self, partition: int, which: object) -> Answer:
        cluster = self._cluster
        if cluster.is_down:
            return Answer(error=KafkaError(KafkaError._TIMED_OUT))
        if partition >= len(cluster.logs):
            return Answer(error=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        if (how := cluster.leaderless.get(partition)) is not None:
            if how == "error":
                return Answer(error=KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
            return Answer(ListedOffset(OFFSET_INVALID))
        log = cluster.logs[partition]
        if (since_ms := getattr(which, "timestamp", None)) is not None:
            return Answer(ListedOffset(log.offset_since(since_ms)))
        return Answer(ListedOffset(log.first if type(which).__name__ == "EarliestSpec" else log.end))
