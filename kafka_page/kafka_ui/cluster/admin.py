"""What Kafka's own admin client is asked: settings and groups. Each call has a deadline."""

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future, wait
from typing import Any, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, ResourceType

from kafka_ui.wire.questions import Place

logger = logging.getLogger(__name__)

ANSWER_S = 0.8
"""How long an answer may take. With Survey's BROKER_S a page takes less than 2 s."""
GROUPS_S = 0.4
"""The same for each of the three questions about groups, which follow on each other."""
CONNECT_S = 5.0
REQUEST_S = 20.0
"""How long the client itself goes on. Longer than its requests and the election of a new leader take: when it gives one
up amid a request to a broker that hangs, librdkafka 2.16 may end the process (eonce->refcnt > 0)."""
OWN = {ConfigSource.DYNAMIC_TOPIC_CONFIG.value, ConfigSource.DYNAMIC_BROKER_CONFIG.value}


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

    def settings(self, topic: str) -> list[Setting]:
        """Return the settings of a topic by name. Raises Unanswered."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        asked = self._admin.describe_configs([resource], request_timeout=REQUEST_S)[resource]
        entries = _result(asked, ANSWER_S)
        return sorted(
            Setting(name, "" if entry.value is None else entry.value, entry.source in OWN)
            for name, entry in entries.items()
        )

    def groups(self) -> list[Group]:
        """Return all groups by name. Takes three times GROUPS_S at most. Raises Unanswered."""
        listed = _result(self._admin.list_consumer_groups(request_timeout=REQUEST_S), GROUPS_S)
        names = sorted(each.group_id for each in listed.valid)
        if not names:
            return []
        described = self._admin.describe_consumer_groups(names, request_timeout=REQUEST_S)
        committed = {
            name: self._admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(name)], request_timeout=REQUEST_S
            )[name]
            for name in names
        }
        wait([*described.values(), *committed.values()], 2 * GROUPS_S)
        return [_group(name, described[name], committed[name]) for name in names]


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
    """Return the answer if it comes within so many seconds. Raises Unanswered."""
    try:
        return asked.result(within_s)
    except KafkaException as error:
        raise Unanswered(error.args[0].str()) from error
    except TimeoutError as error:
        raise Unanswered("no answer in time") from error
