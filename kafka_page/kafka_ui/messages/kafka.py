"""Reads messages from given offsets on, without a consumer group. Only this module creates Kafka's consumers."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, Self

from confluent_kafka import Consumer, KafkaError, TopicPartition

from kafka_ui.cluster.admin import client_settings
from kafka_ui.messages.message import KEPT_HEADERS, KEPT_KEY_BYTES, Message, keep

BATCH = 500


class Read(NamedTuple):
    """The result of one read. ends: of the partitions that were read to their end; broken: unreadable partitions."""

    messages: list[Message]
    ends: dict[int, int]
    broken: set[int]


class Reader(Protocol):
    """An open reader of some partitions."""

    def read(self, timeout_s: float) -> Read: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class OpenReader(Protocol):
    """Opens a reader. offsets: where to begin, by partition; kept_bytes: how much of each value to keep."""

    def __call__(self, topic: str, offsets: Mapping[int, int], kept_bytes: int) -> Reader: ...


class KafkaReader:
    """Reads partitions of one topic. It fetches little ahead: a page wants few messages, and memory is bounded."""

    def __init__(
        self, bootstrap_servers: str, topic: str, offsets: Mapping[int, int], kept_bytes: int
    ) -> None:
        settings: dict[str, Any] = client_settings(bootstrap_servers) | {
            "group.id": "kafka-ui-without-a-group",  # wanted by the client; nothing subscribes or commits
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 200,
            "fetch.message.max.bytes": 256 << 10,
            "queued.max.messages.kbytes": 1024,
        }
        self._kept_bytes = kept_bytes
        self._consumer = Consumer(settings)
        self._consumer.assign([TopicPartition(topic, each, offset) for each, offset in offsets.items()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self, timeout_s: float) -> Read:
        """Return what has come within `timeout_s`; it waits for one message only."""
        first = self._consumer.poll(timeout_s)
        found = Read([], {}, set())
        for message in [first, *self._consumer.consume(BATCH - 1, 0)] if first is not None else []:
            error, partition = message.error(), message.partition()
            if error is None:
                found.messages.append(self._kept(message))
            elif partition is None or partition < 0:
                continue  # of the client as a whole: it recovers by itself, or the time runs out
            elif error.code() == KafkaError._PARTITION_EOF:
                found.ends[partition] = message.offset() or 0
            else:
                found.broken.add(partition)
        return found

    def _kept(self, message: Any) -> Message:
        headers = message.headers() or []
        return Message(
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            keep(message.key(), KEPT_KEY_BYTES),
            keep(message.value(), self._kept_bytes),
            tuple((name, keep(value, KEPT_KEY_BYTES)) for name, value in headers[:KEPT_HEADERS]),
            len(headers),
        )
