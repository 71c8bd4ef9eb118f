"""The read-back: an outbox row is deleted when its event has been seen in Kafka, and only then.

Every relay reads all partitions, without a consumer group: after a kill, a group would make the next member
wait for the last one's session to time out. Reading an event twice, or in two relays, deletes nothing twice.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy.exc import SQLAlchemyError

from producer.relay.backoff import Backoff
from producer.relay.end_offsets import REQUEST_S, EndOffsets, Positions
from producer.relay.outbox import Outbox

logger = logging.getLogger(__name__)

BATCH = 5000
WAIT_S = 0.2
# Deletes are gathered for a moment, unless an order's next event waited for the last delete: then everyone
# waits for this thread.
GATHER_S = 0.05
HOT_S = 1.0
# An event may be older in Kafka than its row says: two clocks, and a transaction that took long to commit.
MARGIN = timedelta(minutes=5)


class ReadBack:
    """A thread that reads the topic and deletes the outbox rows whose events it sees.

    `staleness_s()` is the age of its knowledge: everything that was in Kafka that many seconds ago has been
    read, and its rows are deleted. It is measured against end offsets asked of the brokers, because a consumer
    that receives nothing cannot tell a quiet topic from a silent broker.
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
        self._proof_requested = threading.Event()
        self._proven_at: float | None = None
        self._released_at = float("-inf")
        self._backoff = Backoff()
        self._thread = threading.Thread(target=self._run, name="read-back", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self, timeout_s: float) -> None:
        """End the thread, waiting for at most `timeout_s`."""
        self._stop.set()
        self._thread.join(timeout_s)

    def staleness_s(self) -> float:
        """Return the age of the last proof in seconds; infinite before the first one and after an error."""
        proven_at = self._proven_at
        return float("inf") if proven_at is None else self._clock() - proven_at

    def request_proof(self) -> None:
        """Ask for a proof that is not older than this call: somebody wants to claim."""
        self._proof_requested.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (KafkaException, SQLAlchemyError) as error:
                pause_s = self._backoff.next_s()
                logger.warning(
                    "The read-back starts again in %.1f s: %s", pause_s, str(error).splitlines()[0]
                )
                self._proven_at = None
                self._stop.wait(pause_s)

    def _follow(self) -> None:
        consumer, ends = self._new_consumer(), EndOffsets(self._new_admin(), self._topic, self._clock)
        try:
            positions = self._begin(consumer)
            while not self._stop.is_set():
                self._delete(consumer, positions)
                if self._clock() - self._released_at > HOT_S:
                    self._stop.wait(GATHER_S)
                if self._proof_requested.is_set() and ends.ask(list(positions)):
                    self._proof_requested.clear()
                if (proven_at := ends.reached_at(positions)) is not None:
                    self._proven_at = proven_at
                    self._backoff.reset()
        finally:
            consumer.close()

    def _begin(self, consumer: Consumer) -> Positions:
        """Assign all partitions, from where the oldest row's event may be.

        The end offsets are resolved before the outbox is looked at: an event that is published in between is
        after those ends, and one that was published before still has its row.
        """
        topic = consumer.list_topics(self._topic, timeout=REQUEST_S).topics[self._topic]
        if topic.error is not None or not topic.partitions:
            raise KafkaException(topic.error or KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        positions = {number: self._end_offset(consumer, number) for number in topic.partitions}
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
        logger.info("Reading back from %s", positions)
        return positions

    def _end_offset(self, consumer: Consumer, partition: int) -> int:
        offsets = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=REQUEST_S)
        if offsets is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no end offset of partition {partition}"))
        return offsets[1]

    def _delete(self, consumer: Consumer, positions: Positions) -> None:
        """Delete the rows of the next messages; the positions move only after that."""
        messages = self._next(consumer)
        ids = [event_id for message in messages if (event_id := event_id_of(message))]
        if ids and self._outbox.delete(ids):
            self._released_at = self._clock()
            self._on_release()
        for message in messages:
            partition, offset = message.partition(), message.offset()
            if partition is not None and offset is not None:
                positions[partition] = offset if message.error() else offset + 1

    def _next(self, consumer: Consumer) -> list[Message]:
        """Return what is there. `consume` alone would wait its whole timeout for a full batch."""
        first = consumer.poll(WAIT_S)
        messages = [first, *consumer.consume(BATCH, timeout=0)] if first is not None else []
        for message in messages:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
        return messages


_UUID = re.compile(rb"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def event_id_of(message: Message) -> str | None:
    """Return the event's id from its `id` header, or None: others may write to the topic too."""
    headers = cast("list[tuple[str, str | bytes | None]]", message.headers() or [])
    for name, value in headers:
        if name == "id":
            return value.decode() if isinstance(value, bytes) and _UUID.fullmatch(value) else None
    return None
