"""The topic of the figures. Compaction leaves the last message of its one key, so it stays small."""

from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import NewTopic

from projector.topic.kafka import KafkaUnavailable
from projector.topic.producing import DELIVERY_S, open_producer, producer_settings

KEY = b"figures"
HEADERS: dict[str, str | bytes | None] = {"content-type": b"application/json"}
QUEUE = 10
CONFIG = {
    "cleanup.policy": "compact",
    # Only closed segments are compacted: at a message a second one is closed every few minutes, by its size or by its
    # age, and the cleaner takes it as soon as it comes by.
    "segment.bytes": str(1 << 20),
    "segment.ms": str(10 * 60_000),
    "min.cleanable.dirty.ratio": "0.01",
    "unclean.leader.election.enable": "false",
}


class Topic(Protocol):
    """Where figures are sent to."""

    def send(self, value: bytes) -> None:
        """Return once the figures are acknowledged. Raises KafkaUnavailable."""


class StatsTopic:
    """The topic in Kafka, which is created before the first figures are sent, and again when it is gone."""

    def __init__(
        self, bootstrap_servers: str, name: str, replication_factor: int, min_insync_replicas: int
    ) -> None:
        """Connect nowhere yet."""
        self._bootstrap_servers, self._name = bootstrap_servers, name
        config = CONFIG | {"min.insync.replicas": str(min_insync_replicas)}
        self._new = NewTopic(name, 1, replication_factor, config=config)
        self._producer: Producer | None = None

    def send(self, value: bytes) -> None:
        """Send figures and wait for their acknowledgement. Raises KafkaUnavailable; the next call begins anew."""
        producer, self._producer = self._producer or self._open(), None
        outcome: list[KafkaError | None] = []
        try:
            producer.produce(
                self._name, value, KEY, headers=HEADERS,
                on_delivery=lambda error, _message: outcome.append(error),
            )  # fmt: skip
        except (BufferError, KafkaException) as error:
            raise KafkaUnavailable(str(error)) from error
        if producer.flush(DELIVERY_S + 1) or not outcome:
            raise KafkaUnavailable("figures were not acknowledged in time")
        if outcome[0] is not None:
            raise KafkaUnavailable(outcome[0].str())
        self._producer = producer

    def _open(self) -> Producer:
        settings = producer_settings(self._bootstrap_servers, QUEUE) | {"compression.type": "gzip"}
        return open_producer(self._bootstrap_servers, self._new, settings)
