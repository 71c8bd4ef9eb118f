"""What is asked of a broker: each question with its request and how its response is read."""

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from kafka_ui.wire.encoding import EVERYTHING, NO_TAGS, Fields, array, text

T = TypeVar("T")

Place = tuple[str, int]
"""A topic and the number of a partition."""

NO_ERROR = 0
LATEST, EARLIEST = -1, -2


class Refused(Exception):
    """A broker has answered with an error of Kafka's. code: its number."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Kafka's error {code}")
        self.code = code


@dataclass(frozen=True)
class Question(Generic[T]):
    """A request of one version, and what turns its response into an answer. read raises Refused."""

    api: int
    version: int
    body: bytes
    read: Callable[[Fields], T]


@dataclass(frozen=True)
class Partition:
    """A partition as a broker knows it. leader: the broker's id, -1 without one."""

    number: int
    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True)
class Topic:
    """A topic as a broker knows it."""

    name: str
    is_internal: bool
    partitions: tuple[Partition, ...]


@dataclass(frozen=True)
class Metadata:
    """A broker's picture of the cluster. brokers: host:port by id, of those that are counted as there.

    controller: the controller's id, -1 without one; of KRaft clusters it is just any broker."""

    cluster_id: str
    brokers: dict[int, str]
    topics: tuple[Topic, ...]
    controller: int = -1


@dataclass(frozen=True)
class Voter:
    """A controller that votes. fetched_ms: when it last asked the leader for more; -1 for unknown."""

    id: int
    log_end: int
    fetched_ms: int


@dataclass(frozen=True)
class Quorum:
    """The quorum as its leader, the active controller, knows it."""

    leader: int
    epoch: int
    voters: tuple[Voter, ...]


@dataclass(frozen=True)
class LogDirs:
    """What a broker's disks hold. sizes: bytes by (topic, partition); usable: bytes still free, -1 for unknown."""

    sizes: dict[Place, int]
    usable: int


def _metadata(fields: Fields) -> Metadata:
    fields.int32()  # throttled for so long
    brokers = dict(fields.array(lambda: _broker(fields)))
    cluster_id = fields.text() or ""
    controller = fields.int32()
    topics = fields.array(lambda: _topic(fields))
    return Metadata(cluster_id, brokers, tuple(sorted(topics, key=lambda topic: topic.name)), controller)


def _broker(fields: Fields) -> tuple[int, str]:
    number, host, port = fields.int32(), fields.text(), fields.int32()
    fields.text()  # rack
    fields.tags()
    return number, f"{host}:{port}"


def _topic(fields: Fields) -> Topic:
    fields.int16()  # its error: a partition without a leader says so itself
    name = fields.text() or ""
    fields.uuid()
    is_internal = fields.boolean()
    partitions = fields.array(lambda: _partition(fields))
    fields.int32()  # what we may do with it
    fields.tags()
    return Topic(name, is_internal, tuple(sorted(partitions, key=lambda each: each.number)))


def _partition(fields: Fields) -> Partition:
    fields.int16()
    number, leader = fields.int32(), fields.int32()
    fields.int32()  # the leader's epoch
    replicas, in_sync, _offline = (tuple(fields.array(fields.int32)) for _ in range(3))
    fields.tags()
    return Partition(number, leader, replicas, in_sync)


def _quorum(fields: Fields) -> Quorum:
    _check(fields.int16())
    ((quorum,),) = fields.array(lambda: _quorum_topic(fields))
    return quorum


def _quorum_topic(fields: Fields) -> list[Quorum]:
    fields.text()
    partitions = fields.array(lambda: _quorum_partition(fields))
    fields.tags()
    return partitions


def _quorum_partition(fields: Fields) -> Quorum:
    fields.int32()
    _check(fields.int16())
    leader, epoch = fields.int32(), fields.int32()
    fields.int64()  # the high watermark
    voters = fields.array(lambda: _voter(fields))
    fields.array(lambda: _voter(fields))  # observers: brokers that do not vote
    fields.tags()
    return Quorum(leader, epoch, tuple(sorted(voters, key=lambda voter: voter.id)))


def _voter(fields: Fields) -> Voter:
    voter = Voter(fields.int32(), fields.int64(), fields.int64())
    fields.int64()  # when it last had everything
    fields.tags()
    return voter


def _log_dirs(fields: Fields) -> LogDirs:
    fields.int32()
    _check(fields.int16())
    folders = fields.array(lambda: _folder(fields))
    sizes = {key: size for folder in folders for key, size in folder.sizes.items()}
    return LogDirs(sizes, min((folder.usable for folder in folders), default=-1))


def _folder(fields: Fields) -> LogDirs:
    fields.int16()
    fields.text()
    topics = fields.array(lambda: _sizes(fields))
    fields.int64()  # the disk's size
    usable = fields.int64()
    fields.tags()
    return LogDirs({key: size for topic in topics for key, size in topic}, usable)


def _sizes(fields: Fields) -> list[tuple[Place, int]]:
    name = fields.text() or ""
    sizes = fields.array(lambda: _size(fields))
    fields.tags()
    return [((name, partition), size) for partition, size in sizes]


def _size(fields: Fields) -> tuple[int, int]:
    partition, size = fields.int32(), fields.int64()
    fields.int64()
    fields.boolean()
    fields.tags()
    return partition, size


def _check(code: int) -> None:
    if code != NO_ERROR:
        raise Refused(code)


def offsets(wanted: Mapping[str, Iterable[int]], timestamp_ms: int) -> Question[dict[Place, int]]:
    """Return the question for the first offset at or after a time, of partitions that the asked broker leads.

    timestamp_ms: Unix time, or EARLIEST or LATEST. Partitions without such an offset or with an error are left out."""
    topics = [
        text(topic)
        + array([struct.pack(">iiq", number, -1, timestamp_ms) + NO_TAGS for number in numbers])
        + NO_TAGS
        for topic, numbers in wanted.items()
    ]
    return Question(2, 7, struct.pack(">ib", -1, 0) + array(topics) + NO_TAGS, _offsets)


def _offsets(fields: Fields) -> dict[Place, int]:
    fields.int32()
    topics = fields.array(lambda: _offsets_of_topic(fields))
    return {place: offset for topic in topics for place, offset in topic if offset >= 0}


def _offsets_of_topic(fields: Fields) -> list[tuple[Place, int]]:
    name = fields.text() or ""
    partitions = fields.array(lambda: _offset(fields))
    fields.tags()
    return [((name, number), offset) for number, offset in partitions]


def _offset(fields: Fields) -> tuple[int, int]:
    number, error = fields.int32(), fields.int16()
    fields.int64()  # the message's time
    offset = fields.int64()
    fields.int32()
    fields.tags()
    return number, offset if error == NO_ERROR else -1


# No topic is created by asking for it, and nobody's rights are asked for.
METADATA = Question(3, 12, EVERYTHING + b"\0\0" + NO_TAGS, _metadata)
LOG_DIRS = Question(35, 4, EVERYTHING + NO_TAGS, _log_dirs)
_PARTITION_0 = b"\2" + struct.pack(">i", 0) + NO_TAGS
QUORUM = Question(55, 1, b"\2" + text("__cluster_metadata") + _PARTITION_0 + NO_TAGS + NO_TAGS, _quorum)
