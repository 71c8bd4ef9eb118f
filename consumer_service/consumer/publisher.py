"""Puts a test event on the topic, so that "does it work?" is answered by the real path: through Kafka and
back."""

import json
import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from confluent_kafka import KafkaError, Producer

from consumer.kafka import KafkaUnavailable, client_settings

DELIVERY_S = 3.0
CONTENT_TYPE = "application/cloudevents+json"


def uuid7(milliseconds: int) -> uuid.UUID:
    """Ids that sort by time; Python has its own from 3.14 on."""
    random = int.from_bytes(os.urandom(10)) & ((1 << 74) - 1)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low)


def new_test_event(now: datetime) -> dict[str, Any]:
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


class Publisher:
    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._lock = Lock()
        self._kafka: Producer | None = None

    def _connected(self) -> Producer:
        """Made at the first use: most replicas never send one."""
        with self._lock:
            if self._kafka is None:
                self._kafka = Producer(
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
            return self._kafka

    def send(self) -> str:
        """The event's id, once Kafka has it."""
        event = new_test_event(datetime.now(UTC))
        outcome: list[KafkaError | None] = []
        kafka = self._connected()
        kafka.produce(
            self._topic,
            key=event["subject"],
            value=json.dumps(event, separators=(",", ":")),
            headers={"id": event["id"], "content-type": CONTENT_TYPE},
            on_delivery=lambda error, _message: outcome.append(error),
        )
        kafka.flush(DELIVERY_S + 1)
        if not outcome or outcome[0] is not None:
            raise KafkaUnavailable(outcome[0].str() if outcome and outcome[0] else "no answer")
        return str(event["id"])


class Turnstile:
    """Lets one through per interval."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._lock = Lock()
        self._opens_at = float("-inf")

    def passes(self) -> bool:
        with self._lock:
            now = self._clock()
            if now < self._opens_at:
                return False
            self._opens_at = now + self._interval_s
            return True
