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
    """Reads the topic, one bounded step at a time, and deletes the outbox rows whose events it sees.

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
        self._session: ReadBackSession | None = None
        self._proof_requested = threading.Event()
        self._proven_at: float | None = None
        self._backoff = Backoff()

    def step(self) -> float:
        """Begin, or read and delete what has come; return how long to wait before the next step, in seconds.

        Takes a few seconds at most, when a server does not answer.
        """
        try:
            return self._step()
        except (KafkaException, SQLAlchemyError) as error:
            pause_s = self._backoff.next_s()
            logger.warning("The read-back starts again in %.1f s: %s", pause_s, str(error).splitlines()[0])
            self.close()
            return pause_s

    def close(self) -> None:
        """Leave the topic. The next step begins anew."""
        self._proven_at = None
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def staleness_s(self) -> float:
        """Return the age of the last proof in seconds; infinite before the first one and after an error."""
        proven_at = self._proven_at
        return float("inf") if proven_at is None else self._clock() - proven_at

    def request_proof(self) -> None:
        """Ask for a proof that is not older than this call: somebody wants to claim."""
        self._proof_requested.set()

    def _step(self) -> float:
        if self._session is None:
            self._session = ReadBackSession(
                self._outbox,
                self._new_consumer(),
                self._new_admin(),
                self._topic,
                self._on_release,
                self._clock,
            )
            self._session.begin()
            return 0.0
        pause_s = self._session.read()
        if self._proof_requested.is_set() and self._session.ask():
            self._proof_requested.clear()
        if (proven_at := self._session.proven_at()) is not None:
            self._proven_at = proven_at
            self._backoff.reset()
        return pause_s


class ReadBackSession:
    """What is known of the topic between one assignment and the next error.

    begin() once, then read() again and again, with ask() and proven_at() in between.
    """

    def __init__(
        self,
        outbox: Outbox,
        consumer: Consumer,
        admin: AdminClient,
        topic: str,
        on_release: Callable[[], None],
        clock: Callable[[], float],
    ):
        self._outbox, self._consumer, self._topic = outbox, consumer, topic
        self._on_release, self._clock = on_release, clock
        self._ends = EndOffsets(admin, topic, clock)
        self._positions: Positions = {}
        self._released_at = float("-inf")

    def read(self) -> float:
        """Delete the rows of the next messages; return how long to gather before the next call, in seconds."""
        self._delete()
        return GATHER_S if self._clock() - self._released_at > HOT_S else 0.0

    def ask(self) -> bool:
        """Ask the brokers how far the topic goes; return False while an earlier question is open."""
        return self._ends.ask(list(self._positions))

    def proven_at(self) -> float | None:
        """Return the time of a question whose answer has been read up to, or None."""
        return self._ends.reached_at(self._positions)

    def close(self) -> None:
        """Leave the topic."""
        self._consumer.close()

    def begin(self) -> None:
        """Assign all partitions, from where the oldest row's event may be.

        The end offsets are resolved before the outbox is looked at: an event that is published in between is
        after those ends, and one that was published before still has its row.
        """
        topic = self._consumer.list_topics(self._topic, timeout=REQUEST_S).topics[self._topic]
        if topic.error is not None or not topic.partitions:
            raise KafkaException(topic.error or KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        positions = {number: self._end_offset(number) for number in topic.partitions}
        oldest = self._outbox.oldest_unparked()
        if oldest is not None:
            since = int((oldest - MARGIN).timestamp() * 1000)
            wanted = [TopicPartition(self._topic, number, since) for number in positions]
            for found in self._consumer.offsets_for_times(wanted, timeout=REQUEST_S):
                if found.error is not None:
                    raise KafkaException(found.error)
                if found.offset >= 0:  # negative: nothing that young
                    positions[found.partition] = found.offset
        self._consumer.assign([TopicPartition(self._topic, number, at) for number, at in positions.items()])
        self._positions = positions
        logger.info("Reading back from %s", positions)

    def _end_offset(self, partition: int) -> int:
        offsets = self._consumer.get_watermark_offsets(
            TopicPartition(self._topic, partition), timeout=REQUEST_S
        )
        if offsets is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no end offset of partition {partition}"))
        return offsets[1]

    def _delete(self) -> None:
        """Delete the rows of the next messages; the positions move only after that."""
        messages = self._next()
        ids = [event_id for message in messages if (event_id := event_id_of(message))]
        if ids and self._outbox.delete(ids):
            self._released_at = self._clock()
            self._on_release()
        for message in messages:
            partition, offset = message.partition(), message.offset()
            if partition is not None and offset is not None:
                self._positions[partition] = offset if message.error() else offset + 1

    def _next(self) -> list[Message]:
        """Return what is there. `consume` alone would wait its whole timeout for a full batch."""
        first = self._consumer.poll(WAIT_S)
        messages = [first, *self._consumer.consume(BATCH, timeout=0)] if first is not None else []
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
