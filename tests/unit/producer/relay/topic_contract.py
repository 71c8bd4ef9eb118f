"""What the read-back relies on, asked of the topic in memory and of real brokers alike.

A subclass has the fixture `log`: a topic of three partitions."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

import pytest
from confluent_kafka import (
    OFFSET_END,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from tests.eventually import eventually

ONE, TWO, THREE = (str(uuid4()) for _ in range(3))
LONG_AGO_MS = 1_000_000_000_000


class Log(Protocol):
    """A topic of three partitions, and the clients that the read-back makes."""

    @property
    def name(self) -> str: ...
    def new_consumer(self) -> Any: ...
    def new_admin(self) -> Any: ...
    def put(self, partition: int, event_id: str) -> None: ...


class TopicContract:
    """The suite; pytest collects it where a subclass is called Test…"""

    @pytest.fixture
    def log(self) -> Log:
        raise NotImplementedError

    @pytest.fixture
    def consumer(self, log: Log) -> Iterator[Any]:
        consumer = log.new_consumer()
        yield consumer
        consumer.close()

    def test_messages_come_from_their_offset_on_and_then_the_end_of_the_partition(
        self, log: Log, consumer: Any
    ) -> None:
        for event_id in (ONE, TWO, THREE):
            log.put(1, event_id)
        consumer.assign([TopicPartition(log.name, 1, 1), TopicPartition(log.name, 2, 0)])
        found: list[tuple[int, int, Any]] = []

        def read() -> bool:
            first = consumer.poll(0.2)
            for message in [first, *consumer.consume(100, timeout=0)] if first is not None else []:
                error = message.error()
                what = error.code() if error else dict(message.headers())["id"].decode()
                found.append((message.partition(), message.offset(), what))
            return len(found) >= 4

        eventually(read)
        assert [each for each in found if each[0] == 1] == [
            (1, 1, TWO),
            (1, 2, THREE),
            (1, 3, KafkaError._PARTITION_EOF),
        ]
        assert [each for each in found if each[0] == 2] == [(2, 0, KafkaError._PARTITION_EOF)]

    def test_consumer_knows_the_partitions_and_their_leaders(self, log: Log, consumer: Any) -> None:
        topic = consumer.list_topics(log.name, timeout=5).topics[log.name]
        assert topic.error is None
        assert sorted(topic.partitions) == [0, 1, 2]
        assert all(partition.leader >= 0 for partition in topic.partitions.values())

    def test_watermark_is_behind_the_last_message(self, log: Log, consumer: Any) -> None:
        log.put(1, ONE)
        log.put(1, TWO)
        ends = [
            consumer.get_watermark_offsets(TopicPartition(log.name, number), timeout=5) for number in (0, 1)
        ]
        assert ends == [(0, 0), (0, 2)]

    def test_offset_of_a_time_is_that_of_the_first_younger_message(self, log: Log, consumer: Any) -> None:
        log.put(1, ONE)
        wanted = [TopicPartition(log.name, number, LONG_AGO_MS) for number in (0, 1)]
        found = consumer.offsets_for_times(wanted, timeout=5)
        assert [each.error for each in found] == [None, None]
        assert [each.offset for each in found] == [OFFSET_END, 0]

    def test_admin_knows_the_ends(self, log: Log) -> None:
        log.put(1, ONE)
        wanted = {TopicPartition(log.name, number): OffsetSpec.latest() for number in range(3)}
        admin = log.new_admin()  # without it, its answers would be lost
        answers = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=5)
        assert {each.partition: answer.result(10).offset for each, answer in answers.items()} == {
            0: 0,
            1: 1,
            2: 0,
        }

    def test_admin_knows_the_partitions_and_the_topics_id(self, log: Log) -> None:
        admin = log.new_admin()

        def describe() -> tuple[list[int], str] | None:
            with suppress(KafkaException):  # of a new topic not every broker knows at once
                topics = admin.describe_topics(TopicCollection([log.name]), request_timeout=5)
                topic = topics[log.name].result(10)
                return sorted(each.id for each in topic.partitions), str(topic.topic_id)
            return None

        first = eventually(describe)
        assert first is not None
        assert first[0] == [0, 1, 2]
        assert eventually(describe) == first
