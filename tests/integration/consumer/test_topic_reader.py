"""The reader and the admin on real brokers: the same suite as the topic in memory."""

from collections.abc import Iterator
from functools import partial

import pytest
from confluent_kafka import Producer

from consumer.topic.kafka import Admin, KafkaUnavailable, OpenReader, TopicAdmin, TopicReader
from tests.eventually import eventually
from tests.integration.consumer.conftest import Topic
from tests.unit.consumer.topic.topic_contract import TopicContract, new_transaction_id


class RealLog:
    def __init__(self, kafka: str, topic: Topic) -> None:
        self._kafka, self._topic = kafka, topic
        self._open: list[Producer] = []
        self.admin: Admin = TopicAdmin(kafka, topic.name)
        self.open_reader: OpenReader = partial(TopicReader, kafka, topic.name)

    def put(self, partition: int, *values: bytes | None) -> None:
        self._topic.put(*values, partition=partition)

    def delete_before(self, partition: int, offset: int) -> None:
        self._topic.delete_before(partition, offset)

    def put_aborted(self, partition: int, value: bytes) -> None:
        self._begin(partition, value).abort_transaction(30)
        # The marker comes a moment later, and what is put now could be before it.
        eventually(
            lambda: self.admin.stable_offsets(3) == self.admin.end_offsets(3), not_yet=KafkaUnavailable
        )

    def hold_back(self, partition: int) -> None:
        self._open.append(self._begin(partition, b"held back"))

    def _begin(self, partition: int, value: bytes) -> Producer:
        settings = {
            "bootstrap.servers": self._kafka,
            "transactional.id": new_transaction_id(),
            "log_level": 0,
        }
        producer = Producer(settings)
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(self._topic.name, value, partition=partition)
        assert producer.flush(15) == 0
        return producer

    def close(self) -> None:
        """End what is open, so that the topic can be deleted."""
        for producer in self._open:
            producer.abort_transaction(30)


class TestRealTopic(TopicContract):
    @pytest.fixture
    def log(self, kafka: str, topic: Topic) -> Iterator[RealLog]:
        log = RealLog(kafka, topic)
        yield log
        log.close()
