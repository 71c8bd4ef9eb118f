"""What the running brokers say of the settings on which "no order is lost" rests, in either way of running."""

from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tests.stack import Stack

BROKER = {
    "min.insync.replicas": "2",
    "default.replication.factor": "3",
    "unclean.leader.election.enable": "false",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "auto.leader.rebalance.enable": "true",
}
TOPIC = {
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "cleanup.policy": "delete",
}


@pytest.fixture
def admin(running_stack: Stack) -> AdminClient:
    return AdminClient({"bootstrap.servers": running_stack.env["KAFKA_BOOTSTRAP_SERVERS"]})


def settings(admin: AdminClient, kind: ResourceType, name: str) -> dict[str, str]:
    """Return what is in effect, defaults included."""
    (asked,) = admin.describe_configs([ConfigResource(kind, name)], request_timeout=10).values()
    entries: dict[str, Any] = asked.result(15)
    return {entry.name: str(entry.value) for entry in entries.values()}


@pytest.mark.parametrize("broker", ["1", "2", "3"])
def test_running_broker_keeps_what_it_has_acknowledged(
    running_stack: Stack, admin: AdminClient, broker: str
) -> None:
    found = settings(admin, ResourceType.BROKER, broker)
    # Kafka 3.9, which is there with ZooKeeper, has no share groups.
    wanted = [name for name in BROKER if not (running_stack.optional and name.startswith("share."))]
    assert {name: found[name] for name in wanted} == {name: BROKER[name] for name in wanted}


def test_topic_of_the_orders_has_three_replicas_and_needs_two(admin: AdminClient) -> None:
    found = settings(admin, ResourceType.TOPIC, "orders")
    assert {name: found[name] for name in TOPIC} == TOPIC
    partitions = admin.list_topics("orders", timeout=10).topics["orders"].partitions
    assert len(partitions) == 6
    assert all(sorted(partition.replicas) == [1, 2, 3] for partition in partitions.values())


def test_topic_that_nobody_has_created_is_not_created_by_asking_for_it(admin: AdminClient) -> None:
    assert admin.list_topics("nobody-has-created-this", timeout=10).topics["nobody-has-created-this"].error
    assert "nobody-has-created-this" not in admin.list_topics(timeout=10).topics
