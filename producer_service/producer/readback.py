"""The read-back: an outbox row is deleted when its event has been seen in Kafka, and only then.

Every relay reads all partitions, without a consumer group: after a kill a group would make the next member
wait for the session of the last one. Reading an event twice, or by two relays, deletes nothing twice.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec
from sqlalchemy.exc import SQLAlchemyError

from producer.backoff import Backoff
from producer.outbox import Outbox

logger = logging.getLogger(__name__)

BATCH = 5000
WAIT_S = 0.2
# Deletes are gathered for a moment, unless an order's next event waited for the last one: then it is this
# thread that everyone waits for.
GATHER_S = 0.05
HOT_S = 1.0
REQUEST_S = 5.0
# An event may be older in Kafka than its row says: two clocks, and a transaction that was long in committing.
MARGIN = timedelta(minutes=5)

Positions = dict[int, int]


class ReadBack:
    """A thread that reads the topic and deletes the outbox rows it sees.

    `lag()` says how old our knowledge is: everything that was in Kafka `lag()` seconds ago has been read and
    its rows are gone. It is measured against end offsets asked from the brokers, since a consumer that is
    told nothing cannot tell a quiet topic from a silent broker.
    """

    def __init__(
        self,
        outbox: Outbox,
        new_consumer: Callable[[], Consumer],
        new_admin: Callable[[], AdminClient],
        topic: str,
        on_release: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._outbox, self._new_consumer, self._new_admin = outbox, new_consumer, new_admin
        self._topic, self._on_release, self._clock = topic, on_release, clock
        self._stop = threading.Event()
        self._wanted = threading.Event()
        self._proven_at: float | None = None
        self._released_at = float("-inf")
        self._backoff = Backoff()
        self._thread = threading.Thread(target=self._run, name="read-back", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self, timeout_s: float) -> None:
        self._stop.set()
        self._thread.join(timeout_s)

    def lag(self) -> float:
        """Seconds; infinite before the first catch-up and after an error."""
        proven_at = self._proven_at
        return float("inf") if proven_at is None else self._clock() - proven_at

    def ask_for_proof(self) -> None:
        """Someone wants to claim: look how far the topic goes now."""
        self._wanted.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (KafkaException, SQLAlchemyError) as error:
                pause = self._backoff.next_s()
                logger.warning("reading back starts anew in %.1f s: %s", pause, str(error).splitlines()[0])
                self._proven_at = None
                self._stop.wait(pause)

    def _follow(self) -> None:
        consumer, ends = self._new_consumer(), EndOffsets(self._new_admin(), self._topic, self._clock)
        try:
            positions = self._begin(consumer)
            while not self._stop.is_set():
                self._delete(consumer, positions)
                if self._clock() - self._released_at > HOT_S:
                    self._stop.wait(GATHER_S)
                if self._wanted.is_set() and ends.ask(list(positions)):
                    self._wanted.clear()
                if (proven_at := ends.reached(positions)) is not None:
                    self._proven_at = proven_at
                    self._backoff.reset()
        finally:
            consumer.close()

    def _begin(self, consumer: Consumer) -> Positions:
        """Assign all partitions, from where the oldest row's event may be.

        The ends come first and the look at the outbox second: an event that is published in between is
        after those ends, one that was published before has its row still there.
        """
        topic = consumer.list_topics(self._topic, timeout=REQUEST_S).topics[self._topic]
        if topic.error is not None or not topic.partitions:
            raise KafkaException(topic.error or KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        positions = {number: self._end(consumer, number) for number in topic.partitions}
        oldest = self._outbox.oldest_unparked()
        if oldest is not None:
            since = int((oldest - MARGIN).timestamp() * 1000)
            wanted = [TopicPartition(self._topic, number, since) for number in positions]
            for found in consumer.offsets_for_times(wanted, timeout=REQUEST_S):
                if found.error is not None:
                    raise KafkaException(found.error)
                if found.offset >= 0:  # negative: nothing that young
                    positions[found.partition] = found.offset
        consumer.assign([TopicPartition(self._topic, number, at) for number, at in positions.items()])
        logger.info("reading back from %s", positions)
        return positions

    def _end(self, consumer: Consumer, partition: int) -> int:
        offsets = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=REQUEST_S)
        if offsets is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no end offset of partition {partition}"))
        return offsets[1]

    def _delete(self, consumer: Consumer, positions: Positions) -> None:
        """The positions move only after the delete."""
        messages = self._next(consumer)
        ids = [event_id for message in messages if (event_id := id_of(message))]
        if ids and self._outbox.remove(ids):
            self._released_at = self._clock()
            self._on_release()
        for message in messages:
            partition, offset = message.partition(), message.offset()
            if partition is not None and offset is not None:
                positions[partition] = offset if message.error() else offset + 1

    def _next(self, consumer: Consumer) -> list[Message]:
        """Whatever is there; `consume` alone would wait its whole timeout for a full batch."""
        first = consumer.poll(WAIT_S)
        messages = [first, *consumer.consume(BATCH, timeout=0)] if first is not None else []
        for message in messages:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
        return messages


class EndOffsets:
    """How far the topic went at a moment, asked without waiting."""

    def __init__(self, admin: AdminClient, topic: str, clock: Callable[[], float]):
        self._admin, self._topic, self._clock = admin, topic, clock
        self._asked_at = 0.0
        self._answers: dict[int, Future[ListOffsetsResultInfo]] = {}

    def ask(self, partitions: list[int]) -> bool:
        """False while an earlier question is open."""
        if self._answers:
            return False
        wanted: dict[TopicPartition, Any] = {
            TopicPartition(self._topic, number): OffsetSpec.latest() for number in partitions
        }
        self._asked_at = self._clock()
        answers = self._admin.list_offsets(wanted, request_timeout=REQUEST_S)
        self._answers = {partition.partition: answer for partition, answer in answers.items()}
        return True

    def reached(self, positions: Positions) -> float | None:
        """The moment of the question, once `positions` have come to the ends in its answer."""
        if not self._answers or not all(answer.done() for answer in self._answers.values()):
            return None
        ends = {number: answer.result().offset for number, answer in self._answers.items()}
        if any(positions[number] < end for number, end in ends.items()):
            return None
        self._answers = {}
        return self._asked_at


_UUID = re.compile(rb"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def id_of(message: Message) -> str | None:
    """The event's id from its header, or None: others may write to the topic too."""
    headers = cast("list[tuple[str, str | bytes | None]]", message.headers() or [])
    for name, value in headers:
        if name == "id":
            return value.decode() if isinstance(value, bytes) and _UUID.fullmatch(value) else None
    return None
