"""The figures on their own topic: published when they have changed, by one instance, whatever happens to it."""

import json
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tests.eventually import eventually
from tests.integration.projector.conftest import READY_S, Instance, StartInstance, Topic
from tests.order_events import Told
from tests.project import CONTRACTS
from tests.stack import Stack

pytestmark = pytest.mark.timeout(400)
SCHEMA = json.loads((CONTRACTS / "order-stats.schema.json").read_text())


class Figures:
    """All that has been published, in order."""

    def __init__(self, kafka: str, topic: str) -> None:
        settings: dict[str, str | int | float | bool] = {"bootstrap.servers": kafka, "log_level": 0}
        self.topic = topic
        self.admin = AdminClient(settings)
        self._consumer = Consumer(settings | {"group.id": "unused", "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(topic, 0, 0)])
        self._found: list[Any] = []

    @property
    def all(self) -> list[dict[str, Any]]:
        self._found += [each for each in self._consumer.consume(100, timeout=0.2) if each.error() is None]
        assert {each.key() for each in self._found} <= {b"figures"}
        return [json.loads(each.value()) for each in self._found]

    def last(self) -> dict[str, Any]:
        """Return the newest. Raises AssertionError while there are none."""
        found = self.all
        assert found, "no figures yet"
        return found[-1]

    def config(self) -> dict[str, str]:
        resource = ConfigResource(ResourceType.TOPIC, self.topic)
        entries = self.admin.describe_configs([resource])[resource].result(10)
        return {name: entry.value for name, entry in entries.items()}

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def figures(kafka: str, environment: dict[str, str]) -> Iterator[Figures]:
    figures = Figures(kafka, environment["KAFKA_STATS_TOPIC"])
    yield figures
    figures.close()


def has_counted(figures: Figures, events: int) -> Callable[[], bool]:
    return lambda: bool(figures.last()["events"] == events)


def is_ours(instance: Instance) -> bool:
    return bool(instance.checks["figures"]["is_ours"])


def test_figures_are_those_of_the_api_on_a_small_topic(
    topic: Topic, start_instance: StartInstance, figures: Figures
) -> None:
    topic.put([Told(UUID(int=number)) for number in range(1, 31)])
    instance = start_instance()
    eventually(has_counted(figures, 30), READY_S)
    last = figures.last()
    jsonschema.validate(last, SCHEMA)
    stats = instance.get("/stats").json()
    assert {name: last[name] for name in stats} == stats
    items = instance.get("/stats/items?limit=10").json()["items"]
    assert last["items"] == items
    assert len(last["minutes"]) == 60

    assert instance.checks["figures"] == {
        "status": "ok",
        "is_ours": True,
        "published": pytest.approx(len(figures.all), abs=1),
        "failed": 0,
    }
    config = figures.config()
    assert (config["cleanup.policy"], config["min.insync.replicas"]) == ("compact", "2")
    assert int(config["segment.bytes"]) == 1 << 20
    described = figures.admin.list_topics(figures.topic, timeout=10).topics[figures.topic].partitions
    assert [len(each.replicas) for each in described.values()] == [3]

    before = len(figures.all)
    topic.put([Told(UUID(int=31))])
    eventually(has_counted(figures, 31))
    assert len(figures.all) - before <= 2  # and not one for each event


def test_one_of_two_publishes_and_the_other_goes_on_when_it_is_killed(
    topic: Topic, start_instance: StartInstance, figures: Figures
) -> None:
    topic.put([Told(UUID(int=1))])
    instances = [start_instance("one"), start_instance("two")]
    eventually(lambda: all(each.partitions for each in instances), READY_S)
    eventually(lambda: sorted(map(is_ours, instances)) == [False, True], READY_S)
    eventually(has_counted(figures, 1), READY_S)
    publisher, other = sorted(instances, key=is_ours, reverse=True)
    publisher.kill()
    topic.put([Told(UUID(int=number)) for number in range(2, 12)])
    eventually(has_counted(figures, 11), READY_S)
    assert is_ours(other)


def test_frozen_publisher_replaces_nothing_when_it_wakes_up(
    topic: Topic, start_instance: StartInstance, figures: Figures
) -> None:
    topic.put([Told(UUID(int=1))])
    instances = [start_instance("one"), start_instance("two")]
    eventually(lambda: sorted(map(is_ours, instances)) == [False, True], READY_S)
    frozen, other = sorted(instances, key=is_ours, reverse=True)
    frozen.signal(signal.SIGSTOP)
    topic.put([Told(UUID(int=number)) for number in range(2, 12)])
    eventually(has_counted(figures, 11), READY_S)
    frozen.signal(signal.SIGCONT)
    topic.put([Told(UUID(int=12))])
    eventually(lambda: not (is_ours(frozen) and is_ours(other)), READY_S)
    eventually(has_counted(figures, 12), READY_S)
    newest_first = sorted(figures.all, key=lambda each: str(each["time"]), reverse=True)
    assert newest_first[0]["events"] == 12


def size(stack: Stack, topic: str) -> int:
    """Return how many bytes the largest replica of a topic has on disk.

    Raises FileNotFoundError where the cleaner replaces a file at this moment.
    """
    replicas = [*(stack.home / "kafka").glob(f"*/data/{topic}-0")]
    assert replicas
    return max(sum(file.stat().st_size for file in each.glob("*.log")) for each in replicas)


@pytest.mark.skipif("config.getoption('--stack') != 'native'", reason="looks into the brokers' folders")
def test_topic_stays_small(
    topic: Topic, start_instance: StartInstance, figures: Figures, kafka: str, stack: Stack
) -> None:
    topic.put([Told(UUID(int=1))])
    instance = start_instance()
    eventually(has_counted(figures, 1), READY_S)
    instance.stop()
    settings: dict[str, str | int | float | bool] = {"bootstrap.servers": kafka, "log_level": 0}
    producer = Producer(settings)
    largest = 0
    for _ in range(100):  # what comes in hours
        producer.produce(figures.topic, random.randbytes(250_000), b"figures")
        producer.flush(15)
        with suppress(FileNotFoundError):
            largest = max(largest, size(stack, figures.topic))
    assert largest > 4 << 20
    eventually(lambda: size(stack, figures.topic) < 4 << 20, 180, not_yet=FileNotFoundError)


def test_topic_that_was_deleted_is_created_again(
    topic: Topic, start_instance: StartInstance, figures: Figures
) -> None:
    topic.put([Told(UUID(int=1))])
    instance = start_instance()
    eventually(has_counted(figures, 1), READY_S)
    figures.admin.delete_topics([figures.topic], operation_timeout=10)[figures.topic].result(15)
    topic.put([Told(UUID(int=2))])
    eventually(lambda: instance.get("/stats").json()["events"] == 2)  # counting goes on meanwhile

    def is_published_again() -> bool:
        check = instance.checks["figures"]
        return check["status"] == "ok" and figures.config()["cleanup.policy"] == "compact"

    eventually(is_published_again, READY_S, not_yet=KafkaException)
    assert instance.checks["figures"]["failed"] > 0
