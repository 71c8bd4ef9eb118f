"""A leader that dies with what only it has, on three real brokers: what it acknowledged is still there.

Its followers are frozen, events are published, the leader is killed, and its followers go on. With acks=1 it would have
acknowledged what none of them has."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, PartitionMetadata

from local_stack.services import BROKERS
from producer.config import Settings
from producer.publishing import topics
from producer.publishing.kafka import (
    admin_settings,
    consumer_settings,
    producer_settings,
    relay_producer_settings,
)
from producer.publishing.produce import produce_event
from tests.eventually import eventually
from tests.stack import Stack

FROZEN_EVENTS = 20


class Cluster:
    """The three brokers, a topic of one partition, and its leader."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        self._settings, self._admin = settings, AdminClient(admin_settings(settings))
        topics.ensure(self._admin, settings)
        services = stack.services()
        self.processes = {
            number: psutil.Process(services[name]["pid"]) for number, name in enumerate(BROKERS, start=1)
        }

    def partition(self) -> PartitionMetadata:
        return (
            self._admin.list_topics(self._settings.kafka_topic, timeout=5)
            .topics[self._settings.kafka_topic]
            .partitions[0]
        )

    def is_whole(self) -> bool:
        """Return whether every replica is in sync, or raise AssertionError with those that are."""
        partition = self.partition()
        assert sorted(partition.isrs) == [1, 2, 3], partition.isrs
        return partition.leader > 0

    def close(self) -> None:
        """Let everything go on, and wait until all is as it was: other tests use the brokers, too."""
        for process in self.processes.values():
            if process.is_running():
                process.resume()
        eventually(self.is_whole, within=90, every=0.5)
        name = self._settings.kafka_topic
        self._admin.delete_topics([name])[name].result(20)


@pytest.fixture
def one_partition(settings: Settings) -> Settings:
    """An event is tried for as long as the fault may last: then all are delivered, or it is a defect."""
    return settings.model_copy(update={"kafka_topic_partitions": 1, "publish_timeout_s": 60})


@pytest.fixture
def cluster(stack: Stack, one_partition: Settings) -> Iterator[Cluster]:
    if type(stack) is not Stack:
        pytest.skip("the brokers' processes are frozen and killed, which only the native stack lets us")
    cluster = Cluster(stack, one_partition)
    eventually(cluster.is_whole, within=30)
    yield cluster
    cluster.close()


def read_all(settings: Settings, count: int) -> list[str]:
    """Return the values of the topic's messages in order, once there are at least `count`."""
    consumer = Consumer(consumer_settings(settings) | {"enable.partition.eof": False})
    consumer.assign([TopicPartition(settings.kafka_topic, 0, 0)])
    found: list[str] = []

    def are_enough() -> bool:
        messages = [each for each in consumer.consume(1000, timeout=0.5) if each.error() is None]
        found.extend((each.value() or b"").decode() for each in messages)
        assert len(found) >= count, found
        return not messages

    try:
        eventually(are_enough, within=20)
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize("client_settings", [producer_settings, relay_producer_settings])
def test_acknowledged_event_outlives_its_leader(
    cluster: Cluster, one_partition: Settings, client_settings: Callable[[Settings], dict[str, Any]]
) -> None:
    """Each event is there once and in order, too: the client is idempotent."""
    client = Producer(client_settings(one_partition) | {"delivery.report.only.error": False})
    given: list[str] = []
    outcomes: dict[str, KafkaError | None] = {}

    def put(value: str) -> None:
        def on_delivery(error: KafkaError | None, message: Message) -> None:
            outcomes[value] = error

        given.append(value)
        produce_event(client, one_partition.kafka_topic, str(uuid4()), str(uuid4()), value, on_delivery)

    put("before")
    assert client.flush(20) == 0
    leader = cluster.partition().leader
    followers = [process for number, process in cluster.processes.items() if number != leader]
    for follower in followers:
        follower.suspend()
    for number in range(FROZEN_EVENTS):
        put(f"while frozen {number}")
        client.poll(
            0.1
        )  # each in a batch of its own: what a follower has asked for before may still reach it
    cluster.processes[leader].kill()
    for follower in followers:
        follower.resume()
    put("after")
    assert client.flush(70) == 0
    assert outcomes == dict.fromkeys(given)
    assert read_all(one_partition, len(given)) == given
