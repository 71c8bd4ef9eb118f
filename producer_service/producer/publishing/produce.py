"""How an event is handed to librdkafka: the same bytes, key and headers, whoever publishes it."""

from collections.abc import Callable
from typing import Protocol

from confluent_kafka import KafkaError, Message
from confluent_kafka.admin import ClusterMetadata

from producer.domain.events import CONTENT_TYPE

OnDelivery = Callable[[KafkaError | None, Message], None]

# The partition that Kafka's client computes from the key and the number of partitions that it knows.
CLIENTS_OWN = -1


class KafkaProducer(Protocol):
    """The part of confluent_kafka.Producer that we use."""

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int = CLIENTS_OWN,
        *,
        headers: list[tuple[str, str | bytes | None]],
        on_delivery: OnDelivery,
    ) -> None: ...
    def poll(self, timeout: float) -> int: ...
    def flush(self, timeout: float) -> int: ...
    def __len__(self) -> int: ...
    def list_topics(self, topic: str, timeout: float) -> ClusterMetadata: ...


def produce_event(
    producer: KafkaProducer,
    topic: str,
    event_id: str,
    order_id: str,
    payload: str,
    on_delivery: OnDelivery,
    partition: int = CLIENTS_OWN,
) -> None:
    """Queue one event without waiting.

    partition: where it belongs by the layout; a client that does not know that partition yet refuses it.

    Raises BufferError when librdkafka's queue is full, KafkaException when the client is unusable.
    """
    headers: list[tuple[str, str | bytes | None]] = [("id", event_id), ("content-type", CONTENT_TYPE)]
    producer.produce(
        topic, payload.encode(), order_id.encode(), partition, headers=headers, on_delivery=on_delivery
    )
