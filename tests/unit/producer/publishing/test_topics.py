"""A topic that exists is compared with the settings."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from producer.config import Settings
from producer.publishing.topics import TopicMismatch, check, wanted_config

SETTINGS = Settings(database_url="postgresql://u:p@h:1/d", kafka_bootstrap_servers="k:9092")
RIGHT = {
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "message.timestamp.type": "LogAppendTime",
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
    "retention.ms": "604800000",
}


class FakeAdmin:
    """A cluster with one topic."""

    def __init__(self, partitions: int = 6, replicas: int = 3, **config: str):
        self.partitions, self.replicas = partitions, replicas
        self.config = RIGHT | {name.replace("_", "."): value for name, value in config.items()}

    def list_topics(self, topic: str, timeout: float) -> Any:
        each = SimpleNamespace(replicas=[1] * self.replicas)
        partitions = dict.fromkeys(range(self.partitions), each)
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=partitions)})

    def describe_configs(self, resources: list[Any], request_timeout: float) -> dict[Any, Future[Any]]:
        answer: Future[Any] = Future()
        answer.set_result({name: SimpleNamespace(value=value) for name, value in self.config.items()})
        return {resources[0]: answer}


def test_topic_that_is_as_the_settings_ask_passes_the_check() -> None:
    check(FakeAdmin(), SETTINGS)  # type: ignore[arg-type]
    check(FakeAdmin(max_message_bytes="5000000"), SETTINGS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("admin", "told"),
    [
        (FakeAdmin(partitions=3), "partitions is 3, wanted 6"),
        (FakeAdmin(replicas=1), "replication factor is 1, wanted 3"),
        (FakeAdmin(min_insync_replicas="1"), "min.insync.replicas is 1, wanted 2"),
        (
            FakeAdmin(unclean_leader_election_enable="true"),
            "unclean.leader.election.enable is true, wanted false",
        ),
        (
            FakeAdmin(message_timestamp_type="CreateTime"),
            "message.timestamp.type is CreateTime, wanted LogAppendTime",
        ),
        (FakeAdmin(cleanup_policy="compact"), "cleanup.policy is compact, wanted delete"),
        (FakeAdmin(cleanup_policy="compact,delete"), "cleanup.policy is compact,delete, wanted delete"),
        (FakeAdmin(max_message_bytes="1048587"), "max.message.bytes is 1048587, wanted at least 1048588"),
    ],
)
def test_topic_that_differs_is_refused(admin: FakeAdmin, told: str) -> None:
    with pytest.raises(TopicMismatch, match=f"Topic orders: {told}$"):
        check(admin, SETTINGS)  # type: ignore[arg-type]


def test_topic_is_created_as_it_is_checked() -> None:
    assert wanted_config(SETTINGS).items() <= RIGHT.items()
