"""Reads the topic from its present end, as a consumer does, and notes what comes and when."""

import json
import threading
import time
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bench.compare.account import Arrivals, Change

STEPS = {"placed": 1, "confirmed": 2}
TIMEOUT_S = 20.0


def change_of(value: bytes) -> Change | None:
    """Return what a message says of an order, ours or the demo's; None for what is neither."""
    try:
        body: dict[str, Any] = json.loads(value)
        data = body.get("data", body)
        return Change(str(data.get("order_id") or data["id"]), STEPS[data["status"]])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class TopicReader:
    """Reads in a thread until it is closed. arrivals: what has come so far."""

    def __init__(self, bootstrap_servers: str, topic: str):
        self.arrivals = Arrivals()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "never-used",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 100,
                "log_level": 0,
            }
        )
        self._consumer.assign(self._ends(topic))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _ends(self, topic: str) -> list[TopicPartition]:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                partitions = self._consumer.list_topics(topic, timeout=5).topics[topic].partitions
                places = [TopicPartition(topic, number) for number in partitions]
                for place in places:
                    place.offset = self._consumer.get_watermark_offsets(place, timeout=5, cached=False)[1]
                return places
            except KafkaException:
                if time.monotonic() > deadline:
                    raise

    def _run(self) -> None:
        while not self._stop.is_set():
            first = self._consumer.poll(0.1)
            now = time.time()
            for message in [first, *self._consumer.consume(5000, 0)] if first is not None else []:
                value = message.value()
                if message.error() is None and value is not None and (change := change_of(value)):
                    self.arrivals.take(change, now)

    def close(self) -> None:
        """Stop the thread and close the consumer."""
        self._stop.set()
        self._thread.join(TIMEOUT_S)
        self._consumer.close()
