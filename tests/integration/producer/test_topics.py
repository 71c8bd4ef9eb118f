"""The topic as the running brokers describe it, and `python -m producer.topics` on one that does not fit."""

import subprocess
import sys
from typing import Any

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from producer.config import Settings
from producer.publishing.kafka import admin_settings
from tests.eventually import eventually
from tests.integration.producer.conftest import SERVICE


@pytest.fixture
def admin(settings: Settings) -> AdminClient:
    return AdminClient(admin_settings(settings))


def create_topic(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `python -m producer.topics` to its end."""
    command = [sys.executable, "-m", "producer.topics"]
    return subprocess.run(command, cwd=SERVICE, env=environment, capture_output=True, text=True, timeout=60)


def described(admin: AdminClient, topic: str) -> dict[str, Any]:
    """Return the settings that the topic has of its own: the brokers' defaults are another matter."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource], request_timeout=5)[resource].result(10)
    of_its_own = 1  # DYNAMIC_TOPIC_CONFIG
    return {name: entry.value for name, entry in entries.items() if entry.source == of_its_own}


@pytest.fixture
def created(settings: Settings, service_environment: dict[str, str], admin: AdminClient) -> Any:
    """The topic of the test, made by the command and deleted afterwards."""
    done = create_topic(service_environment)
    yield done
    admin.delete_topics([settings.kafka_topic])[settings.kafka_topic].result(10)


def test_topic_is_made_to_keep_what_was_acknowledged(
    created: subprocess.CompletedProcess[str], admin: AdminClient, settings: Settings
) -> None:
    assert created.returncode == 0
    assert described(admin, settings.kafka_topic) == {
        "min.insync.replicas": "2",
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
        "cleanup.policy": "delete",
        "max.message.bytes": "1048588",
    }


def test_each_partition_is_on_three_brokers(
    created: subprocess.CompletedProcess[str], admin: AdminClient, settings: Settings
) -> None:
    def replicas() -> list[list[int]]:
        partitions = (
            admin.list_topics(settings.kafka_topic, timeout=5).topics[settings.kafka_topic].partitions
        )
        return [sorted(partition.replicas) for partition in partitions.values()]

    assert eventually(lambda: replicas() == [[1, 2, 3]] * 3)


def test_making_it_again_changes_nothing(
    created: subprocess.CompletedProcess[str],
    service_environment: dict[str, str],
    admin: AdminClient,
    settings: Settings,
) -> None:
    before = described(admin, settings.kafka_topic)
    again = create_topic(service_environment)
    assert (again.returncode, "Created" in again.stderr) == (0, False)
    assert described(admin, settings.kafka_topic) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min.insync.replicas", "1"),
        ("unclean.leader.election.enable", "true"),
        ("message.timestamp.type", "CreateTime"),
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "1000"),
    ],
)
def test_topic_that_does_not_fit_is_refused(
    created: subprocess.CompletedProcess[str],
    service_environment: dict[str, str],
    admin: AdminClient,
    settings: Settings,
    name: str,
    value: str,
) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, settings.kafka_topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(10)
    eventually(lambda: described(admin, settings.kafka_topic)[name] == value)
    refused = create_topic(service_environment)
    assert refused.returncode == 1
    assert f"{name} is {value}, wanted" in refused.stderr


def test_topic_with_too_few_replicas_is_refused(
    settings: Settings, service_environment: dict[str, str], admin: AdminClient
) -> None:
    name = settings.kafka_topic
    admin.create_topics([NewTopic(name, 3, 2)])[name].result(10)
    try:
        refused = create_topic(service_environment)
    finally:
        admin.delete_topics([name])[name].result(10)
    assert refused.returncode == 1
    assert "replication factor is 2, wanted 3" in refused.stderr
