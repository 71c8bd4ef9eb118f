"""What the real brokers answer about a topic."""

import uuid

from confluent_kafka import Producer

from consumer.topic.kafka import TopicAdmin
from tests.eventually import eventually
from tests.integration.consumer.conftest import Topic
from tests.unit.consumer.topic.topic_contract import answer


def test_open_transaction_holds_back_what_readers_are_given(kafka: str, topic: Topic) -> None:
    topic.put(b"before")
    stranger = Producer({"bootstrap.servers": kafka, "transactional.id": uuid.uuid4().hex, "log_level": 0})
    stranger.init_transactions(30)
    stranger.begin_transaction()
    stranger.produce(topic.name, b"held back", partition=0)
    assert stranger.flush(15) == 0
    topic.put(b"after")
    admin = TopicAdmin(kafka, topic.name)
    assert answer(admin.describe).partitions == 3
    assert answer(lambda: admin.end_offsets(3)) == (3, 0, 0)
    assert answer(lambda: admin.stable_offsets(3)) == (1, 0, 0)
    stranger.abort_transaction(30)
    eventually(lambda: answer(lambda: admin.stable_offsets(3))[0] > 3)
