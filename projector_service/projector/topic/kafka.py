"""Kafka as the projector uses it: a member of the consumer group, and questions about the topic."""

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from projector.readmodel.batch import Message, read_message
from projector.readmodel.placement import Log

logger = logging.getLogger(__name__)

ADMIN_TIMEOUT_S = 2.0
# Longer than any answer takes that an orderly end waits for.
CLOSE_S = 10.0
LATEST_MS = 253_402_300_799_000
"""The end of the year 9999, behind which there is no datetime."""

REBALANCING = (ConsumerGroupState.PREPARING_REBALANCING, ConsumerGroupState.COMPLETING_REBALANCING)


class KafkaUnavailable(Exception):
    """Kafka gave no usable answer in time."""


class Rebalancing(Exception):
    """The group is just deciding who reads what."""


class ClientFailed(KafkaUnavailable):
    """The client is of no use any more. Not for an outage: most often another instance has the same name.

    After an outage it may be the client's own earlier membership, of which it has sent a commit once more.
    """


class Read(NamedTuple):
    """The result of one read.

    messages: in the order of their offsets within each partition. ends: of partitions that were read to their end, the
    offset there. assigned: all partitions that are ours now. unplaced: those of them that have to be told where to
    begin, because they are newly assigned or Kafka does not have their next offset.
    """

    messages: list[Message]
    ends: dict[int, int]
    assigned: frozenset[int]
    unplaced: frozenset[int]


class TopicInfo(NamedTuple):
    """The topic's identity and its number of partitions."""

    id: str
    partitions: int


class Member(Protocol):
    """A member of the consumer group."""

    def read(self, timeout_s: float) -> Read: ...
    def begin(self, offsets: Mapping[int, int]) -> None: ...
    def pause(self, partitions: Iterable[int]) -> None: ...
    def tell_offsets(self, offsets: Mapping[int, int]) -> None: ...
    def close(self) -> None: ...


class Topic(Protocol):
    """Questions about the topic. Every method raises KafkaUnavailable."""

    def describe(self) -> TopicInfo: ...
    def logs(self, partitions: Iterable[int]) -> dict[int, Log]: ...


def client_settings(bootstrap_servers: str) -> dict[str, Any]:
    """Return settings with which a broker that hangs (TCP open, no answer) is given up after 3 s instead of 60."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "client.id": "projector",
        "socket.timeout.ms": 3000,
        "socket.connection.setup.timeout.ms": 3000,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.refresh.interval.ms": 5000,
        "logger": logging.getLogger("librdkafka"),
    }


def member_settings(
    bootstrap_servers: str, group: str, instance: str, session_timeout_s: float
) -> dict[str, Any]:
    """Return the settings of a member of the group.

    The group only says who reads what. A static member (group.instance.id) that comes back within the session's
    timeout gets its partitions again, and cooperative rebalancing takes from the others only what is to move. The
    offsets that are committed are for lag tools to look at: nobody begins at them.
    """
    return client_settings(bootstrap_servers) | {
        "group.id": group,
        "group.instance.id": instance,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": round(session_timeout_s * 1000),
        "heartbeat.interval.ms": 1000,  # its answer is how a member learns of a rebalance
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 1000,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.error.backoff.ms": 100,
        "queued.max.messages.kbytes": 16 * 1024,
        "fetch.message.max.bytes": 1 << 20,
    }


class GroupMember:
    """Reads the partitions that the group assigns. They stand still until `begin` says where they go on."""

    def __init__(self, settings: Mapping[str, Any], topic: str, batch: int) -> None:
        """Join the group. batch: the most messages of one read."""
        self._topic = topic
        self._batch = batch
        self._assigned: set[int] = set()
        self._unplaced: set[int] = set()
        self._consumer = Consumer(dict(settings), error_cb=self._on_error)
        self._join()

    def _join(self) -> None:
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def read(self, timeout_s: float) -> Read:
        """Return what has come, within `timeout_s` seconds. Raises KafkaUnavailable when the client is of no use."""
        first = self._consumer.poll(timeout_s)
        messages: list[Message] = []
        ends: dict[int, int] = {}
        # Compared with None: a message with an empty value is falsy.
        for message in [first, *self._consumer.consume(self._batch - 1, 0)] if first is not None else []:
            if message.error() is not None:
                self._sort_out(message, ends)
            else:
                messages.append(_message(message))
        return Read(messages, ends, frozenset(self._assigned), frozenset(self._unplaced))

    def _sort_out(self, message: Any, ends: dict[int, int]) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:
            ends[message.partition()] = message.offset()
        elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._unplaced |= {message.partition()} & self._assigned
        elif error.fatal() or error.code() == KafkaError._FATAL:
            raise ClientFailed(error.str())
        else:
            logger.warning("Kafka reported an error: %s", error.str())

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Go on reading at these offsets. A partition that cannot yet stays unplaced."""
        for partition, offset in offsets.items():
            if partition not in self._assigned:
                continue
            place = TopicPartition(self._topic, partition, offset)
            try:
                try:
                    self._consumer.seek(place)
                except KafkaException as error:
                    if error.args[0].code() != KafkaError._STATE:
                        raise
                    self._assign_anew(place)
                self._consumer.resume([place])
            except KafkaException as error:  # it is about to be revoked
                logger.info("Partition %s cannot be read yet: %s", partition, error)
            else:
                self._unplaced.discard(partition)

    def _assign_anew(self, place: TopicPartition) -> None:
        """Begin with a partition whose fetcher does not run, so that there is nothing to seek in.

        It ends for good when Kafka does not have the offset at which it was to read: where retention overtakes us, and
        when it asks for offset 0 in the moment between the assignment and the pause.
        """
        with suppress(KafkaException):  # the last attempt may have ended here
            self._consumer.incremental_unassign([place])
        self._consumer.incremental_assign([place])

    def pause(self, partitions: Iterable[int]) -> None:
        """Let partitions stand still until `begin`. The group is still polled, so that we stay a member."""
        numbers = self._assigned & set(partitions)
        self._unplaced |= numbers
        if numbers:
            self._consumer.pause([TopicPartition(self._topic, number) for number in sorted(numbers)])

    def tell_offsets(self, offsets: Mapping[int, int]) -> None:
        """Have offsets committed to the group, for whoever looks at its lag."""
        places = [
            TopicPartition(self._topic, p, offset) for p, offset in offsets.items() if p in self._assigned
        ]
        with suppress(KafkaException):  # a partition that has just been revoked
            self._consumer.store_offsets(offsets=places)

    def close(self) -> None:
        """Close the client. A static member's partitions stay its own until the session times out.

        A client that has got stuck may never end. It is left behind then, and fenced by the next one of its name.
        """
        closing = threading.Thread(target=self._consumer.close, name="closing", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            logger.warning("Kafka's client has not ended within %.0f s; it is left behind", CLOSE_S)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Take partitions, at rest: where they go on is in the table, which may not answer now."""
        numbers = {each.partition for each in partitions}
        self._assigned |= numbers
        consumer.incremental_assign([TopicPartition(self._topic, number, 0) for number in sorted(numbers)])
        self.pause(numbers)
        if numbers:  # a rebalance that moves nothing tells us so, too
            logger.info("Assigned: %s; now %s", sorted(numbers), sorted(self._assigned))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = {each.partition for each in partitions}
        self._assigned -= numbers
        self._unplaced -= numbers
        consumer.incremental_unassign([TopicPartition(self._topic, number) for number in sorted(numbers)])
        logger.info("Revoked: %s; left %s", sorted(numbers), sorted(self._assigned))

    def _on_error(self, error: KafkaError) -> None:
        """Log only: librdkafka recovers by itself, and health says how far behind we are.

        It reports every attempt to connect, twenty a second while all brokers are away.
        """
        if error.code() != KafkaError._TRANSPORT:
            logger.info("Kafka's client reported: %s", error.str())


def _message(message: Any) -> Message:
    """Read a message. Its timestamp may be anything, unless the brokers set it."""
    time = datetime.fromtimestamp(min(max(0, message.timestamp()[1]), LATEST_MS) / 1000, UTC)
    return read_message(message.partition(), message.offset(), time, message.key(), message.value())


class TopicAdmin:
    """Asks Kafka about the topic: its id, and where its logs begin and end."""

    def __init__(self, bootstrap_servers: str, name: str) -> None:
        """Create the client, which connects by itself."""
        self._name = name
        self._admin = AdminClient(client_settings(bootstrap_servers))

    def describe(self) -> TopicInfo:
        """Return what the topic is. Raises KafkaUnavailable, also when there is none."""
        futures = self._admin.describe_topics(TopicCollection([self._name]), request_timeout=ADMIN_TIMEOUT_S)
        described = _result(futures[self._name])
        # librdkafka writes the id in base64 with + and /; in Java, and in our positions, these are - and _.
        topic_id = str(described.topic_id).translate(str.maketrans("+/", "-_"))
        return TopicInfo(topic_id, len(described.partitions))

    def logs(self, partitions: Iterable[int]) -> dict[int, Log]:
        """Return what Kafka has of each partition. Raises KafkaUnavailable."""
        numbers = list(partitions)
        beginnings = self._offsets(numbers, OffsetSpec.earliest())
        ends = self._offsets(numbers, OffsetSpec.latest())
        return {number: Log(beginnings[number], max(beginnings[number], ends[number])) for number in numbers}

    def offsets_at(self, partitions: Iterable[int], moment: datetime) -> dict[int, int]:
        """Return the first offset of each partition whose message is of this time or later; without one, the end.

        The time is that of the message in Kafka. Raises KafkaUnavailable.
        """
        numbers = list(partitions)
        ends = self._offsets(numbers, OffsetSpec.latest())
        # What is below zero are other questions: for the end, for instance.
        since = OffsetSpec.for_timestamp(max(0, round(moment.timestamp() * 1000)))
        found = self._list(numbers, since)
        return {number: offset if offset >= 0 else ends[number] for number, offset in found.items()}

    def _offsets(self, partitions: list[int], which: OffsetSpec) -> dict[int, int]:
        found = self._list(partitions, which)
        if any(offset < 0 for offset in found.values()):  # a leader that has just gone gives no error
            raise KafkaUnavailable("a partition has no leader")
        return found

    def _list(self, partitions: list[int], which: OffsetSpec) -> dict[int, int]:
        wanted = {TopicPartition(self._name, partition): which for partition in partitions}
        futures = self._admin.list_offsets(wanted, request_timeout=ADMIN_TIMEOUT_S)
        return {place.partition: _result(future).offset for place, future in futures.items()}


class GroupAdmin:
    """Asks Kafka what the group has assigned to one of its instances."""

    def __init__(self, bootstrap_servers: str, group: str, instance: str, topic: str) -> None:
        """Create the client, which connects by itself."""
        self._group, self._instance, self._topic = group, instance, topic
        self._admin = AdminClient(client_settings(bootstrap_servers))

    def assigned(self) -> frozenset[int] | None:
        """Return the partitions that the instance has in the group; None when it is no member.

        Raises KafkaUnavailable, Rebalancing.
        """
        futures = self._admin.describe_consumer_groups([self._group], request_timeout=ADMIN_TIMEOUT_S)
        described = _result(futures[self._group])
        if described.state in REBALANCING:
            raise Rebalancing
        for member in described.members:
            if member.group_instance_id == self._instance:
                places = member.assignment.topic_partitions
                return frozenset(place.partition for place in places if place.topic == self._topic)
        return None


def _result(future: Any) -> Any:
    try:
        return future.result(ADMIN_TIMEOUT_S + 1)
    except KafkaException as error:
        raise KafkaUnavailable(error.args[0].str()) from error
    except TimeoutError as error:
        raise KafkaUnavailable("no answer") from error
