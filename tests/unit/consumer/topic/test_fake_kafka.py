"""The topic in memory is held to what real brokers do (tests/integration/consumer/test_topic_reader.py)."""

import pytest

from consumer.topic.kafka import Admin, OpenReader
from tests.unit.consumer.topic.fake_kafka import MARKER, FakeTopic
from tests.unit.consumer.topic.topic_contract import TopicContract


class FakeLog:
    def __init__(self) -> None:
        self._topic = FakeTopic(partitions=3)
        self.admin: Admin = self._topic
        self.open_reader: OpenReader = self._topic.open_reader

    def put(self, partition: int, *values: bytes | None) -> None:
        self._topic.put(partition, *values)

    def delete_before(self, partition: int, offset: int) -> None:
        self._topic.first[partition] = offset

    def put_aborted(self, partition: int, value: bytes) -> None:
        self._topic.put(partition, MARKER, MARKER)

    def hold_back(self, partition: int) -> None:
        self._topic.open_transactions[partition] = len(self._topic.logs[partition])
        self._topic.put(partition, MARKER)


class TestFakeTopic(TopicContract):
    @pytest.fixture
    def log(self) -> FakeLog:
        return FakeLog()
