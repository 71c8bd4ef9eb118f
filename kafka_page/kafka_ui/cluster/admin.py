"""What Kafka's own admin client is asked: offsets, settings, groups. Each call has a deadline."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, wait
from typing import Any, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, OffsetSpec, ResourceType

from kafka_ui.wire.questions import Partition, Topic

logger = logging.getLogger(__name__)

ANSWER_S = 0.8
"""How long an answer may take. With Survey's BROKER_S a page takes less than 2 s."""
GROUPS_S = 0.4
"""The same for each of the three questions about groups, which follow on each other."""
CONNECT_S = 5.0
OWN = {ConfigSource.DYNAMIC_TOPIC_CONFIG.value, ConfigSource.DYNAMIC_BROKER_CONFIG.value}

Place = tuple[str, int]


class Setting(NamedTuple):
    """A setting of a topic. is_own: it differs from the default of the brokers."""

    name: str
    value: str
    is_own: bool


class Member(NamedTuple):
    """A member of a group, and the (topic, partition) it reads."""

    client_id: str
    host: str
    places: tuple[Place, ...]


class Group(NamedTuple):
    """A consumer group. committed: the next offset by (topic, partition); None when its coordinator did not say."""

    name: str
    state: str
    members: tuple[Member, ...]
    committed: Mapping[Place, int] | None


class Unanswered(Exception):
    """Kafka did not answer, or not in time."""


def client_settings(bootstrap_servers: str) -> dict[str, Any]:
    """Return settings with which a broker that hangs is given up soon."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "client.id": "kafka-ui",
        "socket.timeout.ms": 1500,
        "socket.connection.setup.timeout.ms": 1500,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "logger": logging.getLogger("librdkafka"),
    }


class Admin:
    """Asks Kafka. The client is created at its first use: it would not survive the fork."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._lock = threading.Lock()
        self._client: AdminClient | None = None

    @property
    def _admin(self) -> AdminClient:
        with self._lock:
            if self._client is None:
                self._client = AdminClient(client_settings(self._bootstrap_servers))
            return self._client

    def connect(self) -> None:
        """Connect to the brokers ahead of the first page, which may not wait for it. Takes CONNECT_S at most."""
        try:
            self._admin.list_topics(timeout=CONNECT_S)
        except KafkaException as error:
            logger.info("Kafka does not answer yet: %s", error)

    def end_offsets(self, topics: Iterable[Topic]) -> dict[Place, int]:
        """Return the offset after the last message of each partition whose leader answers."""
        return self._offsets(topics, OffsetSpec.latest())

    def ranges(self, topics: Iterable[Topic]) -> dict[Place, tuple[int, int]]:
        """Return the first offset and the end of each partition whose leader answers both, asked at the same time."""
        wanted = list(topics)
        firsts, ends = self._ask(wanted, OffsetSpec.earliest()), self._ask(wanted, OffsetSpec.latest())
        deadline = time.monotonic() + ANSWER_S
        first, end = _collect(firsts, deadline), _collect(ends, deadline)
        return {place: (first[place], end[place]) for place in first.keys() & end.keys()}

    def offsets_at(self, topics: Iterable[Topic], timestamp_ms: int) -> dict[Place, int]:
        """Return the first offset of each partition at or after a time; partitions without one are left out."""
        return self._offsets(topics, OffsetSpec.for_timestamp(timestamp_ms))

    def settings(self, topic: str) -> list[Setting]:
        """Return the settings of a topic by name. Raises Unanswered."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        asked = self._admin.describe_configs([resource], request_timeout=ANSWER_S)[resource]
        entries = _result(asked, ANSWER_S)
        return sorted(
            Setting(name, "" if entry.value is None else entry.value, entry.source in OWN)
            for name, entry in entries.items()
        )

    def groups(self) -> list[Group]:
        """Return all groups by name. Takes three times GROUPS_S at most. Raises Unanswered."""
        listed = _result(self._admin.list_consumer_groups(request_timeout=GROUPS_S), GROUPS_S)
        names = sorted(each.group_id for each in listed.valid)
        if not names:
            return []
        described = self._admin.describe_consumer_groups(names, request_timeout=GROUPS_S)
        committed = {
            name: self._admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(name)], request_timeout=GROUPS_S
            )[name]
            for name in names
        }
        wait([*described.values(), *committed.values()], 2 * GROUPS_S)
        return [_group(name, described[name], committed[name]) for name in names]

    def _offsets(self, topics: Iterable[Topic], spec: OffsetSpec) -> dict[Place, int]:
        return _collect(self._ask(topics, spec), time.monotonic() + ANSWER_S)

    def _ask(self, topics: Iterable[Topic], spec: OffsetSpec) -> "dict[TopicPartition, Future[Any]]":
        """Ask each leader on its own: one answer for all would come when the slowest has answered."""
        by_leader: dict[int, dict[TopicPartition, OffsetSpec]] = defaultdict(dict)
        for topic in topics:
            for partition in topic.partitions:
                if partition.leader >= 0:
                    by_leader[partition.leader][TopicPartition(topic.name, partition.number)] = spec
        asked: dict[TopicPartition, Future[Any]] = {}
        for wanted in by_leader.values():
            asked |= self._admin.list_offsets(wanted, request_timeout=ANSWER_S)
        return asked


def only(topic: Topic, partitions: Iterable[Partition]) -> Topic:
    """Return a topic reduced to some of its partitions."""
    return Topic(topic.name, topic.is_internal, tuple(partitions))


def _collect(asked: "Mapping[TopicPartition, Future[Any]]", deadline: float) -> dict[Place, int]:
    """Return the answers that came in time. An offset below 0 is none: a leader has just gone, or nothing is there."""
    wait(asked.values(), max(0.0, deadline - time.monotonic()))
    return {
        (place.topic, place.partition): future.result().offset
        for place, future in asked.items()
        if future.done() and future.exception() is None and future.result().offset >= 0
    }


def _group(name: str, described: "Future[Any]", committed: "Future[Any]") -> Group:
    try:
        group = _result(described, 0)
    except Unanswered:
        return Group(name, "unknown", (), _committed(committed))
    members = tuple(
        Member(
            member.client_id,
            member.host.lstrip("/"),
            tuple(sorted((each.topic, each.partition) for each in member.assignment.topic_partitions)),
        )
        for member in group.members
    )
    return Group(name, group.state.name.lower().replace("_", " "), members, _committed(committed))


def _committed(asked: "Future[Any]") -> dict[Place, int] | None:
    try:
        answer = _result(asked, 0)
    except Unanswered:
        return None
    return {(each.topic, each.partition): each.offset for each in answer.topic_partitions if each.offset >= 0}


def _result(asked: "Future[Any]", within_s: float) -> Any:
    """Return the answer of a call that ends itself after `within_s`. Raises Unanswered."""
    try:
        return asked.result(within_s + 0.1 if within_s else 0)
    except KafkaException as error:
        raise Unanswered(error.args[0].str()) from error
    except TimeoutError as error:
        raise Unanswered("no answer in time") from error
