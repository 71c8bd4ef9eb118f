"""The topic as the consumer reads it. Only this module and publish_test_event.py use Kafka's client."""

import logging
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

logger = logging.getLogger(__name__)

ADMIN_TIMEOUT_S = 2.0
BATCH = 500
NO_OFFSET = -1  # no message is as new as a time


class Topic(NamedTuple):
    """The topic's identity and its number of partitions."""

    id: str
    partitions: int


class Record(NamedTuple):
    """A message of the topic."""

    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None


class Read(NamedTuple):
    """The result of one read.

    end_offsets: of the partitions that were read to their end. out_of_range: the partitions whose next offset
    Kafka does not have.
    """

    records: list[Record]
    end_offsets: dict[int, int]
    out_of_range: set[int]


class Admin(Protocol):
    """What the rest of the consumer asks about the topic. Every method raises KafkaUnavailable."""

    def describe(self) -> Topic: ...
    def beginning_offsets(self, partitions: int) -> tuple[int, ...]: ...
    def end_offsets(self, partitions: int) -> tuple[int, ...]: ...
    def stable_offsets(self, partitions: int) -> tuple[int, ...]: ...
    def offsets_since(self, since_ms: int, partitions: int) -> tuple[int | None, ...]: ...


class Reader(Protocol):
    """An open reader of all partitions."""

    def read(self, timeout: float) -> Read: ...
    def close(self) -> None: ...


class OpenReader(Protocol):
    """Opens a reader that begins at the given offset of each partition."""

    def __call__(self, offsets: Sequence[int]) -> Reader: ...


class KafkaUnavailable(Exception):
    """Kafka gave no usable answer in time."""


class TopicMissing(KafkaUnavailable):
    """The topic does not exist yet."""


def client_settings(bootstrap_servers: str) -> dict[str, Any]:
    """Return settings with which a broker that hangs (TCP open, no answer) is given up after 3 s instead of 60."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "client.id": "consumer",
        "socket.timeout.ms": 3000,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.refresh.interval.ms": 5000,
        "logger": logging.getLogger("librdkafka"),
    }


def reader_settings(bootstrap_servers: str) -> dict[str, Any]:
    """Return settings without a group: we keep the positions, and an offset out of range must be an error.

    The end of a partition is reported because transaction markers take offsets too: counting messages alone, a
    reader of a topic that was written in transactions would never know that it has read everything."""
    return client_settings(bootstrap_servers) | {
        "group.id": "consumer-without-a-group",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "fetch.error.backoff.ms": 100,
        "queued.max.messages.kbytes": 8192,
        "fetch.message.max.bytes": 1 << 20,
    }


class TopicAdmin:
    """Asks Kafka about the topic: its id, its partitions, where their logs begin and end."""

    def __init__(self, bootstrap_servers: str, name: str) -> None:
        """Connect nowhere: the client is created at its first use, after the fork, which it would not survive."""
        self._bootstrap_servers = bootstrap_servers
        self._name = name
        self._lock = threading.Lock()
        self._client: AdminClient | None = None

    @property
    def _admin(self) -> AdminClient:
        with self._lock:
            if self._client is None:
                self._client = AdminClient(client_settings(self._bootstrap_servers))
            return self._client

    def describe(self) -> Topic:
        """Return the topic's id and number of partitions. Raises TopicMissing, KafkaUnavailable."""
        futures = self._admin.describe_topics(TopicCollection([self._name]), request_timeout=ADMIN_TIMEOUT_S)
        described = self._result(futures[self._name])
        # librdkafka writes the id in base64 with + and /; in Java, and in our positions, these are - and _.
        topic_id = str(described.topic_id).translate(str.maketrans("+/", "-_"))
        return Topic(topic_id, len(described.partitions))

    def beginning_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return the first offset that each partition still has. Raises KafkaUnavailable."""
        return self._offsets(partitions, OffsetSpec.earliest())

    def end_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return the offset after the last message of each partition. Raises KafkaUnavailable."""
        return self._offsets(partitions, OffsetSpec.latest())

    def stable_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return how far a reader is given each partition: an open transaction holds back what follows its first
        message. Raises KafkaUnavailable."""
        return self._offsets(partitions, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)

    def offsets_since(self, since_ms: int, partitions: int) -> tuple[int | None, ...]:
        """Return the first offset of each partition that is not older than a time of Kafka's; None where all are.

        Raises KafkaUnavailable."""
        found = self._list_offsets(partitions, OffsetSpec.for_timestamp(since_ms))
        if any(offset < NO_OFFSET for offset in found):
            raise KafkaUnavailable("a partition has no leader")
        return tuple(None if offset == NO_OFFSET else offset for offset in found)

    def _offsets(
        self, partitions: int, which: OffsetSpec, isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> tuple[int, ...]:
        found = self._list_offsets(partitions, which, isolation)
        if any(offset < 0 for offset in found):  # -1001: a leader that has just gone gives no error
            raise KafkaUnavailable("a partition has no leader")
        return found

    def _list_offsets(
        self, partitions: int, which: OffsetSpec, isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> tuple[int, ...]:
        wanted = {TopicPartition(self._name, partition): which for partition in range(partitions)}
        futures = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=ADMIN_TIMEOUT_S)
        found = {tp.partition: self._result(future).offset for tp, future in futures.items()}
        return tuple(found[partition] for partition in range(partitions))

    @staticmethod
    def _result(future: Any) -> Any:
        try:
            return future.result(ADMIN_TIMEOUT_S + 1)
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise TopicMissing("the topic does not exist") from exc
            raise KafkaUnavailable(exc.args[0].str()) from exc
        except TimeoutError as exc:
            raise KafkaUnavailable("no answer") from exc


class TopicReader:
    """Reads all partitions from the given offsets, without a consumer group."""

    def __init__(self, bootstrap_servers: str, name: str, offsets: Sequence[int]) -> None:
        self._name = name
        self._consumer = Consumer(reader_settings(bootstrap_servers), error_cb=self._on_error)
        self._consumer.assign([TopicPartition(name, p, offset) for p, offset in enumerate(offsets)])

    def read(self, timeout: float) -> Read:
        """Return what has come within `timeout` seconds. Raises KafkaUnavailable when the client is unusable.

        It waits for one message only: `consume(n, timeout)` would wait out its timeout unless n are there."""
        first = self._consumer.poll(timeout)
        found = Read([], {}, set())
        # Compared with None: a message with a null or empty value is falsy.
        for message in [first, *self._consumer.consume(BATCH - 1, 0)] if first is not None else []:
            if message.error() is not None:
                self._sort_out(message, found)
            else:
                found.records.append(_record(message))
        return found

    @staticmethod
    def _sort_out(message: Any, found: Read) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:
            found.end_offsets[message.partition()] = message.offset()
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            found.out_of_range.add(message.partition())
        elif error.fatal():
            raise KafkaUnavailable(error.str())
        else:
            logger.warning("Kafka reported an error: %s (partition %s)", error.str(), message.partition())

    def _on_error(self, error: KafkaError) -> None:
        """Log only: librdkafka recovers by itself, and the freshness monitor says whether we are behind."""
        logger.info("Kafka's client reported: %s", error.str())

    def close(self) -> None:
        """Close the client."""
        self._consumer.close()


def _record(message: Any) -> Record:
    return Record(message.partition(), message.offset(), message.timestamp()[1], message.value())
