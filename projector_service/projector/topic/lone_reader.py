"""Reading the topic outside of any group: nothing is taken from anybody, and no offset is committed."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from confluent_kafka import TopicPartition

from projector.topic.kafka import GroupMember, Member, Read, client_settings

# A consumer must have one; without a subscription and a commit, Kafka never hears of it.
UNUSED_GROUP = "projector-rebuild"


def lone_settings(bootstrap_servers: str) -> dict[str, Any]:
    """Return the settings of a reader that is in no group. What is read, and how, is as in the group."""
    return client_settings(bootstrap_servers) | {
        "client.id": "projector-rebuild",
        "group.id": UNUSED_GROUP,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.error.backoff.ms": 100,
        "queued.max.messages.kbytes": 16 * 1024,
        "fetch.message.max.bytes": 1 << 20,
    }


class Reader(Member, Protocol):
    """Reads what it is told to, like a member of a group of its own."""

    def take(self, partitions: Iterable[int]) -> None: ...
    def halt(self, partitions: Iterable[int]) -> None: ...


class LoneReader(GroupMember):
    """Reads the partitions that it assigns to itself. They stand still until `begin` says where they go on."""

    def _join(self) -> None:
        """Join nothing."""

    def take(self, partitions: Iterable[int]) -> None:
        """Read these partitions, too."""
        numbers = sorted(set(partitions) - self._assigned)
        if numbers:
            self._on_assign(self._consumer, [TopicPartition(self._topic, number) for number in numbers])

    def halt(self, partitions: Iterable[int]) -> None:
        """Read no more of these partitions."""
        places = [TopicPartition(self._topic, number) for number in sorted(set(partitions))]
        if places:
            self._consumer.pause(places)

    def tell_offsets(self, offsets: Mapping[int, int]) -> None:
        """Tell nobody."""


class Until:
    """A reader of which everything from these offsets on is cut off."""

    def __init__(self, reader: Reader, ends: Mapping[int, int]) -> None:
        self._reader, self._ends = reader, ends

    def read(self, timeout_s: float) -> Read:
        """Return what has come before the ends. Raises KafkaUnavailable."""
        read = self._reader.read(timeout_s)
        within = [m for m in read.messages if m.offset < self._ends[m.partition]]
        passed = {m.partition for m in read.messages if m.offset >= self._ends[m.partition]}
        self._reader.halt(passed)
        ends = {p: min(offset, self._ends[p]) for p, offset in read.ends.items()}
        return read._replace(messages=within, ends=ends | {p: self._ends[p] for p in passed})

    def begin(self, offsets: Mapping[int, int]) -> None:
        self._reader.begin(offsets)

    def pause(self, partitions: Iterable[int]) -> None:
        self._reader.pause(partitions)

    def tell_offsets(self, offsets: Mapping[int, int]) -> None:
        """Tell nobody."""

    def close(self) -> None:
        self._reader.close()
