"""What the read-back knows of the topic between one assignment and the next error."""

import logging
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from producer.relay.end_offsets import REQUEST_S, EndOffsets, Positions
from producer.relay.event_id import event_id_of
from producer.relay.outbox import Outbox
from producer.relay.silence import Silence
from producer.relay.topic_watch import TopicWatch

logger = logging.getLogger(__name__)

BATCH = 5000
WAIT_S = 0.2
# Deletes are gathered for a moment, unless an order's next event waited for the last delete: then everyone
# waits for this thread.
GATHER_S = 0.05
HOT_S = 1.0
# An event may be older in Kafka than its row says: two clocks, and a transaction that took long to commit.
MARGIN = timedelta(minutes=5)
# A partition whose leader does not answer at the beginning is joined later. Trying must stay short: meanwhile
# nothing is read of the others.
BEGIN_S = 2.0
JOIN_EVERY_S = 5.0
JOIN_S = 0.5
STALL_S = 20.0
# An older answer says nothing about a leader that may be gone by now. Longer than a question and RETURN_S take.
FRESH_S = 10.0
# Errors of one batch of messages: reading anew would meet it again.
UNREADABLE = {KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION}


class Stalled(KafkaException):
    """Nothing comes from a partition that goes further."""

    def __init__(self, partition: int, waited_s: float):
        what = f"Nothing has come from partition {partition} for {waited_s:.0f} s"
        super().__init__(KafkaError(KafkaError._TIMED_OUT, what))
        self.partition, self.waited_s = partition, waited_s


class ReadBackSession:
    """Reads all partitions of the topic and deletes the outbox rows whose events it sees.

    begin() once, then read() again and again, with ask() and reached() in between. All but the constructor raise
    KafkaException, SQLAlchemyError or TopicChanged: then it is to be closed.
    """

    def __init__(
        self,
        outbox: Outbox,
        consumer: Consumer,
        admin: AdminClient,
        topic: str,
        on_release: Callable[[], None],
        clock: Callable[[], float],
        topic_id: str | None,
    ):
        self._outbox, self._consumer, self._topic = outbox, consumer, topic
        self._on_release, self._clock = on_release, clock
        self._ends = EndOffsets(admin, topic, clock)
        self._watch = TopicWatch(admin, topic, clock, topic_id)
        self._positions: Positions = {}
        self._missing: list[int] = []
        self._tried_at = float("-inf")
        self._released_at = float("-inf")
        self._silence = Silence()
        self.skipped = 0

    @property
    def topic_id(self) -> str | None:
        """What Kafka called the topic when it was last asked."""
        return self._watch.topic_id

    def begin(self) -> list[int]:
        """Assign all partitions whose leader answers; return the topic's partitions."""
        topic = self._consumer.list_topics(self._topic, timeout=REQUEST_S).topics[self._topic]
        if topic.error is not None or not topic.partitions:
            raise KafkaException(topic.error or KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        self._missing = list(topic.partitions)
        self._join([number for number, each in topic.partitions.items() if each.leader >= 0], BEGIN_S)
        if not self._positions:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "No partition of the topic answers"))
        self._watch.ask()
        return list(topic.partitions)

    def read(self) -> float:
        """Delete the rows of the next messages; return how long to gather before the next call, in seconds."""
        self._delete()
        if self._missing and self._clock() - self._tried_at >= JOIN_EVERY_S:
            self._missing.append(self._missing.pop(0))
            self._join(self._missing[-1:], JOIN_S)
        return GATHER_S if self._clock() - self._released_at > HOT_S else 0.0

    def ask(self, partitions: Iterable[int]) -> None:
        """Ask the brokers how far these partitions go, and whether the topic has others by now."""
        if self._ends.ask({n: self._positions[n] for n in partitions if n in self._positions}):
            self._watch.ask()

    def reached(self, stall_s: float = STALL_S) -> dict[int, float]:
        """Return, of each partition that was read up to an answer since the last call, when that was asked.

        Raises TopicChanged when the topic has other partitions than those that are read, Stalled when nothing comes
        from a partition that goes further, and LogCutBack when one ends before what was read of it.
        """
        self._watch.check([*self._positions, *self._missing])
        reached = self._ends.reached(self._positions)
        self._check_progress(reached, stall_s)
        return reached

    def close(self) -> None:
        """Leave the topic."""
        self._consumer.close()

    def _check_progress(self, reached: Collection[int], stall_s: float) -> None:
        """Raise Stalled when nothing comes from a partition that has more.

        librdkafka's consumer was seen to poll for ever and receive nothing after all brokers were away at once. Without
        the read-back no row is deleted, and what is due is held: only a new consumer helps. Before that the brokers are
        asked once more: since the last answer a leader may have gone, or its log may have been cut back."""
        self._silence.stall_s = stall_s
        self._silence.look(
            self._clock(),
            self._positions,
            unreached=self._ends.unreached(),
            unanswered=self._ends.unanswered(),
            reached=reached,
        )
        for number in self._silence.late():
            if not self._ends.ask({number: self._positions[number]}, FRESH_S):
                raise Stalled(number, self._silence.limit_s)

    def _join(self, partitions: list[int], timeout_s: float) -> None:
        """Read these partitions too, from where the oldest row's event may be.

        Their ends are resolved before the outbox is looked at: an event that is published in between is after
        those ends, and one that was published before still has its row.
        """
        ends = self._resolve(partitions, lambda number: self._end_offset(number, timeout_s))
        oldest = self._outbox.oldest_unparked()
        starts = ends
        if oldest is not None:
            starts = self._resolve(
                ends, lambda number: self._offset_at(oldest, number, ends[number], timeout_s)
            )
        self._tried_at = self._clock()
        if not starts:
            return
        self._positions |= starts
        self._missing = [number for number in self._missing if number not in starts]
        self._consumer.assign(
            [TopicPartition(self._topic, number, at) for number, at in self._positions.items()]
        )
        logger.info("Reading back from %s", starts)

    def _resolve(self, partitions: Iterable[int], resolve: Callable[[int], int]) -> Positions:
        """Return an offset for each partition, without those whose leader does not answer."""
        found = {}
        for number in partitions:
            try:
                found[number] = resolve(number)
            except KafkaException as error:
                logger.warning("Partition %d cannot be read back yet: %s", number, error)
        return found

    def _end_offset(self, partition: int, timeout_s: float) -> int:
        offsets = self._consumer.get_watermark_offsets(
            TopicPartition(self._topic, partition), timeout=timeout_s
        )
        if offsets is None or offsets[1] < 0:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "It does not say where it ends"))
        return offsets[1]

    def _offset_at(self, oldest: datetime, partition: int, end: int, timeout_s: float) -> int:
        """Return the first offset of a message that may be as old as `oldest`, or `end`: nothing is that young."""
        since = TopicPartition(self._topic, partition, int((oldest - MARGIN).timestamp() * 1000))
        (found,) = self._consumer.offsets_for_times([since], timeout=timeout_s)
        if found.error is not None:
            raise KafkaException(found.error)
        if found.offset == OFFSET_END:
            return end
        if found.offset < 0:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"The offset was given as {found.offset}"))
        return found.offset

    def _delete(self) -> None:
        """Delete the rows of the next messages; the positions move only after that."""
        messages = self._next()
        ids, skipped = [], []
        for message in messages:
            if (error := message.error()) is not None:
                if error.code() in UNREADABLE:
                    skipped.append(message)
                continue
            if (event_id := event_id_of(message)) is not None:
                ids.append(event_id)
            else:
                skipped.append(message)
        if ids and self._outbox.delete(ids):
            self._released_at = self._clock()
            self._on_release()
        if skipped:
            self._report_skipped(skipped)
        for message in messages:
            partition, offset, error = message.partition(), message.offset(), message.error()
            if (
                partition is not None
                and offset is not None
                and (error is None or error.code() not in UNREADABLE)
            ):
                self._positions[partition] = offset if error else offset + 1

    def _next(self) -> list[Message]:
        """Return what is there. `consume` alone would wait its whole timeout for a full batch."""
        first = self._consumer.poll(WAIT_S)
        messages = [first, *self._consumer.consume(BATCH, timeout=0)] if first is not None else []
        for message in messages:
            error = message.error()
            if error is not None and error.code() not in {KafkaError._PARTITION_EOF, *UNREADABLE}:
                raise KafkaException(error)
        return messages

    def _report_skipped(self, messages: list[Message]) -> None:
        """Count messages that are no event of ours; log them with one line, as somebody may write many."""
        self.skipped += len(messages)
        first = messages[0]
        logger.warning(
            "Skipped partition %d offset %d: %s (%d such messages at once, %d in all)",
            first.partition(), first.offset(), first.error() or "no event id in its headers",
            len(messages), self.skipped,
        )  # fmt: skip
