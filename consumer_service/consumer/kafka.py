"""The topic as the tail reads it: the only module, with test_event.py, that speaks to Kafka's client."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

logger = logging.getLogger(__name__)

ADMIN_TIMEOUT_S = 2.0
BATCH = 500


class Topic(NamedTuple):
    id: str
    partitions: int


class Record(NamedTuple):
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None


class KafkaUnavailable(Exception):
    """Kafka gave no usable answer in time."""


class TopicMissing(KafkaUnavailable):
    """The topic does not exist yet."""


class Read(NamedTuple):
    """What one read brought: records, how far partitions are read to their end, and those whose place is
    gone."""

    records: list[Record]
    ends: dict[int, int]
    gone: set[int]


def client_settings(bootstrap_servers: str) -> dict[str, Any]:
    """A broker that hangs (TCP open, no answer) is given up after 3 s instead of librdkafka's 60 s."""
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
    """No group: positions are ours, and an offset out of range must be an error and not a silent jump.

    The end of a partition is reported because transaction markers take offsets too: counting messages
    alone, a reader of a topic that was written in transactions would never know it has read everything."""
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
    """What Kafka says about the topic: its id, its partitions, where their logs begin and end."""

    def __init__(self, bootstrap_servers: str, name: str) -> None:
        self._admin = AdminClient(client_settings(bootstrap_servers))
        self._name = name

    def describe(self) -> Topic:
        futures = self._admin.describe_topics(TopicCollection([self._name]), request_timeout=ADMIN_TIMEOUT_S)
        described = self._answer(futures[self._name])
        # librdkafka writes the id in base64 with + and /; in Java, and in our positions, it is - and _.
        topic_id = str(described.topic_id).translate(str.maketrans("+/", "-_"))
        return Topic(topic_id, len(described.partitions))

    def begins(self, partitions: int) -> tuple[int, ...]:
        return self._offsets(partitions, OffsetSpec.earliest())

    def ends(self, partitions: int) -> tuple[int, ...]:
        return self._offsets(partitions, OffsetSpec.latest())

    def _offsets(self, partitions: int, which: OffsetSpec) -> tuple[int, ...]:
        wanted = {TopicPartition(self._name, partition): which for partition in range(partitions)}
        futures = self._admin.list_offsets(wanted, request_timeout=ADMIN_TIMEOUT_S)
        found = {tp.partition: self._answer(future).offset for tp, future in futures.items()}
        return tuple(found[partition] for partition in range(partitions))

    @staticmethod
    def _answer(future: Any) -> Any:
        try:
            return future.result(ADMIN_TIMEOUT_S + 1)
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise TopicMissing("the topic does not exist") from exc
            raise KafkaUnavailable(exc.args[0].str()) from exc
        except TimeoutError as exc:
            raise KafkaUnavailable("no answer") from exc


class TopicReader:
    """Reads the partitions it is given, from the offsets it is given, without a consumer group."""

    def __init__(self, bootstrap_servers: str, name: str, offsets: Sequence[int]) -> None:
        self._name = name
        self._consumer = Consumer(reader_settings(bootstrap_servers), error_cb=self._on_error)
        self._consumer.assign([TopicPartition(name, p, offset) for p, offset in enumerate(offsets)])

    def read(self, timeout: float) -> Read:
        """Waits for one message only: `consume(n, timeout)` would wait out its timeout unless n are there."""
        first = self._consumer.poll(timeout)
        found = Read([], {}, set())
        for message in [first, *self._consumer.consume(BATCH - 1, 0)] if first else []:
            if message.error():
                self._sort_out(message, found)
            else:
                found.records.append(_record(message))
        return found

    @staticmethod
    def _sort_out(message: Any, found: Read) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:
            found.ends[message.partition()] = message.offset()
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            found.gone.add(message.partition())
        elif error.fatal():
            raise KafkaUnavailable(error.str())
        else:
            logger.warning("Kafka: %s (partition %s)", error.str(), message.partition())

    def _on_error(self, error: KafkaError) -> None:
        """librdkafka goes on by itself; whether we are behind is the watch's to say."""
        logger.info("Kafka: %s", error.str())

    def close(self) -> None:
        self._consumer.close()


def _record(message: Any) -> Record:
    return Record(message.partition(), message.offset(), message.timestamp()[1], message.value())
