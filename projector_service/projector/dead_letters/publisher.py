"""Publishes dead letters to a topic of their own, with headers that say whence they are and why.

The table is the outbox: a letter is marked when Kafka has acknowledged it. So each is on the topic at least once.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import NewTopic

from projector.store import dead_letters
from projector.store.database import DatabaseUnavailable, Refused, transaction
from projector.store.dead_letters import StoredLetter
from projector.topic.kafka import KafkaUnavailable
from projector.topic.producing import DELIVERY_S, open_producer, producer_settings

logger = logging.getLogger(__name__)

BATCH = 100
EVERY_S = 5.0


class Letterbox(Protocol):
    """Where letters are sent to."""

    def send(self, letters: Sequence[StoredLetter]) -> None:
        """Return once all are acknowledged. Raises KafkaUnavailable."""


class DeadLetterPublisher:
    """A thread's work: sends what is not published yet, at once after `wake` and otherwise every EVERY_S seconds."""

    def __init__(self, engine: sa.Engine, letterbox: Letterbox) -> None:
        self._engine, self._letterbox = engine, letterbox
        self._woken = threading.Event()
        self.problem = ""

    def wake(self) -> None:
        """Have new letters sent at once."""
        self._woken.set()

    def run(self, stopping: threading.Event) -> None:
        """Publish until `stopping` is set; whoever sets it also calls `wake`."""
        while not stopping.is_set():
            self._woken.clear()
            try:
                while self.publish() and not stopping.is_set():
                    pass
                self.problem = ""
            except (KafkaUnavailable, DatabaseUnavailable, Refused) as error:
                if str(error) != self.problem:
                    logger.warning("Dead letters cannot be published: %s", error)
                self.problem = str(error)
            self._woken.wait(EVERY_S)

    def publish(self) -> int:
        """Publish some letters and return how many. Raises KafkaUnavailable, DatabaseUnavailable."""
        with transaction(self._engine) as connection:
            letters = dead_letters.unpublished(connection, BATCH)
            if letters:
                self._letterbox.send(letters)
                dead_letters.mark_published(connection, letters)
        return len(letters)


def headers(letter: StoredLetter, topic: str) -> list[tuple[str, str | bytes | None]]:
    """Return the headers of a dead letter. topic: where it was read."""
    found = {
        "dlq-topic": topic,
        "dlq-topic-id": letter.topic_id,
        "dlq-partition": str(letter.partition),
        "dlq-offset": str(letter.offset),
        "dlq-error": letter.error,
    }
    return [(name, value.encode()) for name, value in found.items()]


class KafkaLetterbox:
    """The topic for dead letters, which is created when the first letter is sent."""

    def __init__(
        self, bootstrap_servers: str, source: str, name: str, replication_factor: int, min_insync_replicas: int
    ) -> None:  # fmt: skip
        """source: the topic that the letters were read from."""
        self._bootstrap_servers, self._source, self._name = bootstrap_servers, source, name
        self._new = NewTopic(
            name, 1, replication_factor, config={"min.insync.replicas": str(min_insync_replicas)}
        )
        self._producer: Producer | None = None

    def send(self, letters: Sequence[StoredLetter]) -> None:
        """Send letters and wait for their acknowledgement. Raises KafkaUnavailable."""
        producer = self._producer = self._producer or self._open()
        failures: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                failures.append(error)

        for letter in letters:
            try:
                producer.produce(
                    self._name, letter.value, letter.key,
                    headers=headers(letter, self._source), on_delivery=on_delivery,
                )  # fmt: skip
            except (BufferError, KafkaException) as error:
                raise KafkaUnavailable(str(error)) from error
        if producer.flush(DELIVERY_S + 1):
            raise KafkaUnavailable("dead letters were not acknowledged in time")
        if failures:
            raise KafkaUnavailable(failures[0].str())

    def _open(self) -> Producer:
        settings = producer_settings(self._bootstrap_servers, 10 * BATCH)
        return open_producer(self._bootstrap_servers, self._new, settings)
