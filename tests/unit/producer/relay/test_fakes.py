"""The fakes are held to what the real ones do: the same suites run on those in tests/integration/producer."""

from uuid import uuid4

import pytest

from producer.relay.dispatch import DispatchOutbox
from producer.relay.outbox import DueEvent
from tests.unit.producer.relay.fake_outbox import FakeOutbox
from tests.unit.producer.relay.fake_topic import TOPIC, FakeTopic
from tests.unit.producer.relay.outbox_contract import OutboxContract
from tests.unit.producer.relay.topic_contract import TopicContract


class FakeShelf:
    def __init__(self) -> None:
        self._outbox = FakeOutbox()
        self.outbox: DispatchOutbox = self._outbox

    def put(self, payload: str) -> None:
        self._outbox.due.append(DueEvent(str(uuid4()), str(uuid4()), payload))

    def put_expired_keys(self, many: int) -> None:
        self._outbox.expired_keys += many

    def break_down(self) -> None:
        self._outbox.is_down = True


class TestFakeOutbox(OutboxContract):
    @pytest.fixture
    def shelf(self) -> FakeShelf:
        return FakeShelf()


class FakeLog:
    name = TOPIC

    def __init__(self) -> None:
        self._topic = FakeTopic(partitions=3)
        self.new_consumer, self.new_admin = self._topic.new_consumer, self._topic.new_admin

    def put(self, partition: int, event_id: str) -> None:
        self._topic.append(partition, event_id)


class TestFakeTopic(TopicContract):
    @pytest.fixture
    def log(self) -> FakeLog:
        return FakeLog()
