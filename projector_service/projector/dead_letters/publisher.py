"""Publishes dead letters to a topic of their own, with headers that say whence they are and why.

The table is the outbox: a letter is marked when Kafka has acknowledged it. So each is on the topic at least once.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

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


Headers = list[tuple[str, str | bytes | None]]


def headers(letter: StoredLetter, topic: str) -> Headers:
    """Return the headers of a dead letter. topic: where it was read."""
    found = {
        "dlq-topic": topic,
        "dlq-topic-id": letter.topic_id,
        "dlq-partition": str(letter.partition),
        "dlq-offset": str(letter.offset),
        "dlq-error": letter.error,
    }
    return [(name, value.encode()) for name, value in found.items()]


class Outgoing(NamedTuple):
    """A letter as it is sent."""

    letter: StoredLetter
    key: bytes | None
    value: bytes | None
    headers: Headers


def whole(letter: StoredLetter, topic: str) -> Outgoing:
    """Return a letter with its message. topic: where that was read."""
    return Outgoing(letter, letter.key, letter.value, headers(letter, topic))


def without_value(letter: StoredLetter, topic: str) -> Outgoing:
    """Return a letter without its value, which stays in the table.

    A message may be as large as its topic allows, and with the headers it is larger.
    """
    size = str(len(letter.value or b"")).encode()
    key = letter.key if letter.order_id else None  # a key that names no order may be what is large
    return Outgoing(letter, key, None, [*headers(letter, topic), ("dlq-value-left-out", size)])


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
        producer, self._producer = self._producer or self._open(), None
        too_large = _send(producer, self._name, [whole(each, self._source) for each in letters])
        if _send(producer, self._name, [without_value(each, self._source) for each in too_large]):
            raise KafkaUnavailable("a dead letter is too large even without its value")
        self._producer = (
            producer  # after an error the next one is a new one, and so is the topic if it was deleted
        )

    def _open(self) -> Producer:
        settings = producer_settings(self._bootstrap_servers, 10 * BATCH)
        return open_producer(self._bootstrap_servers, self._new, settings)


def _send(producer: Producer, topic: str, outgoing: Iterable[Outgoing]) -> list[StoredLetter]:
    """Send letters, wait for their acknowledgement, and return those that are too large. Raises KafkaUnavailable."""
    failures: list[KafkaError] = []
    too_large: list[StoredLetter] = []

    def on_delivery(letter: StoredLetter, error: KafkaError | None, message: Any = None) -> None:
        if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            too_large.append(letter)
        elif error is not None:
            failures.append(error)

    for letter, key, value, own in outgoing:
        report = partial(on_delivery, letter)
        try:
            producer.produce(topic, value, key, headers=own, on_delivery=report)
        except BufferError as error:
            raise KafkaUnavailable(str(error)) from error
        except KafkaException as error:
            report(error.args[0])
    if producer.flush(DELIVERY_S + 1):
        raise KafkaUnavailable("dead letters were not acknowledged in time")
    if failures:
        raise KafkaUnavailable(failures[0].str())
    return too_large
