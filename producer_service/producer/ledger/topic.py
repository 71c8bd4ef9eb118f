"""The topic from one set of offsets to another."""

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from producer.relay.readback_session import UNREADABLE

REQUEST_S = 10.0
WAIT_S = 0.2
BATCH = 5000
# A broker that starts needs some seconds; after this time without a message it is away.
SILENCE_S = 30.0

Offsets = dict[int, int]


class TopicMoved(Exception):
    """The topic did not stay what it was while it was read."""


class Topic:
    """A topic's partitions, their bounds and their messages. Every method raises KafkaException."""

    def __init__(
        self,
        new_consumer: Callable[[], Consumer],
        admin: AdminClient,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._new_consumer, self._admin, self.name, self._clock = new_consumer, admin, name, clock

    def starts(self) -> Offsets:
        """Return the first offset of each partition that retention has left."""
        return self._offsets(OffsetSpec.earliest())

    def ends(self) -> Offsets:
        """Return where each partition ends for a reader of committed messages, behind no open transaction."""
        return self._offsets(OffsetSpec.latest())

    def starts_at(self, milliseconds: int) -> Offsets:
        """Return the first offset of each partition with a message that Kafka got at this time or later."""
        ends = self.ends()
        found = self._offsets(OffsetSpec.for_timestamp(milliseconds))
        return {number: at if at >= 0 else ends[number] for number, at in found.items()}

    def read(self, starts: Offsets, ends: Offsets) -> Generator[list[Message], None, None]:
        """Iterate over the messages between the offsets, those of one partition in their sequence.

        Raises TopicMoved when a log is cut back meanwhile, KafkaException when nothing comes for SILENCE_S.
        """
        next_offsets = {number: starts.get(number, 0) for number in ends}
        left = {number for number, end in ends.items() if next_offsets[number] < end}
        if not left:
            return
        heard_at = self._clock()
        consumer = self._new_consumer()
        try:
            consumer.assign([TopicPartition(self.name, number, next_offsets[number]) for number in left])
            while left:
                polled = _poll(consumer)
                if not polled and self._clock() - heard_at > SILENCE_S:
                    what = f"Nothing has come from partitions {sorted(left)} for {SILENCE_S:.0f} s"
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT, what))
                yield [message for message in polled if _is_within(message, next_offsets, ends)]
                if polled:
                    heard_at = self._clock()
                done = {number for number in left if next_offsets[number] >= ends[number]}
                if done:
                    consumer.incremental_unassign([TopicPartition(self.name, number) for number in done])
                    left -= done
        finally:
            consumer.close()

    def _offsets(self, which: Any) -> Offsets:
        """Ask all partitions at once. The ends are those that read_committed reads to, as the relay asks them."""
        question = self._admin.describe_topics(TopicCollection([self.name]), request_timeout=REQUEST_S)
        # Futures, unlike list_topics(), can be interrupted.
        partitions = question[self.name].result(2 * REQUEST_S).partitions
        wanted: dict[TopicPartition, Any] = {TopicPartition(self.name, each.id): which for each in partitions}
        answers: Mapping[TopicPartition, Any] = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=REQUEST_S
        )
        return {each.partition: answer.result(2 * REQUEST_S).offset for each, answer in answers.items()}


def _poll(consumer: Consumer) -> list[Message]:
    """Return what is there. `consume` alone would wait its whole timeout for a full batch."""
    first = consumer.poll(WAIT_S)
    return [] if first is None else [first, *consumer.consume(BATCH, timeout=0)]


def _is_within(message: Message, next_offsets: Offsets, ends: Offsets) -> bool:
    """Return whether this is a message of before the end; note how far its partition has been read.

    A batch that cannot be read comes with an offset that says little: the next message tells how far it went.

    Raises TopicMoved when its place has been read already, KafkaException for an error that is not the message's.
    """
    partition, offset, error = message.partition(), message.offset(), message.error()
    if error is not None and error.code() not in {KafkaError._PARTITION_EOF, *UNREADABLE}:
        raise KafkaException(error)
    if partition is None or offset is None or partition not in ends:
        return False
    if error is not None and error.code() in UNREADABLE:
        return offset < ends[partition]
    if offset < next_offsets[partition]:
        what = f"Partition {partition} was cut back or created anew while it was read; run the ledger again."
        raise TopicMoved(what)
    next_offsets[partition] = offset if error else offset + 1
    return error is None and offset < ends[partition]
