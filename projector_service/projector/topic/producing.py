"""Topics of the projector's own, and the client that writes to them."""

from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from projector.topic.kafka import KafkaUnavailable, client_settings

DELIVERY_S = 5.0


def producer_settings(bootstrap_servers: str, queue: int) -> dict[str, Any]:
    """Return the settings of a client that gives up a message after DELIVERY_S. queue: the most that may wait."""
    return client_settings(bootstrap_servers) | {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "request.timeout.ms": 2000,
        "delivery.timeout.ms": round(DELIVERY_S * 1000),
        "queue.buffering.max.messages": queue,
    }


def open_producer(bootstrap_servers: str, topic: NewTopic, settings: dict[str, Any]) -> Producer:
    """Create the topic unless it exists, and a client to write to it. Raises KafkaUnavailable."""
    admin = AdminClient(client_settings(bootstrap_servers))  # kept until its answer is there
    try:
        future = admin.create_topics([topic], request_timeout=DELIVERY_S)[topic.topic]
        future.result(2 * DELIVERY_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise KafkaUnavailable(error.args[0].str()) from error
    except TimeoutError as error:
        raise KafkaUnavailable("no answer") from error
    return Producer(settings)
