"""Test events, which go the real way: onto the topic, and from there to every viewer of every replica."""

import json
import os
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, Producer

from consumer.topic.kafka import KafkaUnavailable, client_settings

DELIVERY_S = 3.0
CONTENT_TYPE = "application/cloudevents+json"


def uuid7(milliseconds: int) -> uuid.UUID:
    """Return an id that sorts by time (RFC 9562); Python has its own from 3.14 on."""
    random = int.from_bytes(os.urandom(10)) & ((1 << 74) - 1)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low)


def new_test_event(now: datetime) -> dict[str, Any]:
    """Return a `test.event` as a CloudEvents envelope."""
    event_id = str(uuid7(int(now.timestamp() * 1000)))
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/dashboard",
        "type": "test.event",
        "subject": event_id,
        "time": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "datacontenttype": "application/json",
        "data": {"message": "Sent from a dashboard"},
    }


class TestEventPublisher:
    """Publishes test events. Its Kafka client is created at the first one: most replicas never send any."""

    __test__ = False  # pytest: not a test class

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._lock = threading.Lock()
        self._producer: Producer | None = None

    def publish(self) -> str:
        """Publish a test event and wait for Kafka's acknowledgement; return its id. Raises KafkaUnavailable."""
        event = new_test_event(datetime.now(UTC))
        outcome: list[KafkaError | None] = []
        producer = self._connected()
        producer.produce(
            self._topic,
            key=event["subject"],
            value=json.dumps(event, separators=(",", ":")),
            headers={"id": event["id"], "content-type": CONTENT_TYPE},
            on_delivery=lambda error, _message: outcome.append(error),
        )
        producer.flush(DELIVERY_S + 1)
        if not outcome or outcome[0] is not None:
            raise KafkaUnavailable(outcome[0].str() if outcome and outcome[0] else "no answer")
        return str(event["id"])

    def _connected(self) -> Producer:
        with self._lock:
            if self._producer is None:
                self._producer = Producer(
                    client_settings(self._bootstrap_servers)
                    | {
                        "acks": "all",
                        "partitioner": "murmur2_random",
                        "linger.ms": 0,
                        "delivery.timeout.ms": int(DELIVERY_S * 1000),
                        "request.timeout.ms": 2000,
                        "queue.buffering.max.messages": 100,
                    }
                )
            return self._producer
