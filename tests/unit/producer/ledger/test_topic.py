"""Reading the topic between two sets of offsets, on a consumer in memory."""

from collections import deque
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from producer.ledger.topic import SILENCE_S, Topic, TopicMoved
from tests.clock import FakeClock
from tests.unit.producer.ledger.fake_shop import FakeMessage


class FakeConsumer:
    """Hands out what it is given, one by one; when there is nothing, time passes."""

    def __init__(self, messages: list[FakeMessage], clock: FakeClock):
        self._messages, self._clock = deque(messages), clock
        self.assigned: dict[int, int] = {}
        self.is_closed = False

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = {each.partition: each.offset for each in partitions}

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            del self.assigned[each.partition]

    def poll(self, timeout: float) -> FakeMessage | None:
        if self._messages:
            return self._messages.popleft()
        self._clock.now += 1
        return None

    def consume(self, count: int, timeout: float) -> list[FakeMessage]:
        return []

    def close(self) -> None:
        self.is_closed = True


def at(partition: int, offset: int) -> FakeMessage:
    return FakeMessage(partition, offset, b"", 0)


def end_of(partition: int, offset: int) -> FakeMessage:
    return FakeMessage(partition, offset, KafkaError(KafkaError._PARTITION_EOF), 0)


def read(messages: list[FakeMessage], starts: dict[int, int], ends: dict[int, int]) -> list[tuple[int, int]]:
    """Read to the end; return the places of the messages."""
    clock = FakeClock()
    consumer = FakeConsumer(messages, clock)
    topic = Topic(lambda: cast("Consumer", consumer), cast("AdminClient", None), "orders", clock)
    try:
        found = [message for batch in topic.read(starts, ends) for message in batch]
    finally:
        assert consumer.is_closed
    assert consumer.assigned == {}
    return [(message.partition() or 0, message.offset() or 0) for message in found]


def test_what_is_behind_the_end_is_not_read() -> None:
    messages = [at(0, 5), at(0, 6), at(0, 7), at(1, 0)]
    assert read(messages, {0: 5, 1: 0, 2: 4}, {0: 7, 1: 1, 2: 4}) == [(0, 5), (0, 6), (1, 0)]


def test_partition_that_ends_with_markers_of_transactions_is_read_to_its_end() -> None:
    assert read([at(0, 0), end_of(0, 2)], {0: 0}, {0: 2}) == [(0, 0)]


def test_earlier_end_is_not_the_end() -> None:
    assert read([end_of(0, 0), at(0, 0), at(0, 1)], {0: 0}, {0: 2}) == [(0, 0), (0, 1)]


def test_batch_that_cannot_be_read_says_nothing_of_how_far_it_went() -> None:
    unreadable = FakeMessage(0, 3, KafkaError(KafkaError._BAD_MSG), 0)
    assert read([at(0, 4), unreadable, end_of(0, 9)], {0: 4}, {0: 9}) == [(0, 4), (0, 3)]


def test_beginning_that_retention_removes_meanwhile_is_passed_over() -> None:
    assert read([at(0, 0), at(0, 7)], {0: 0}, {0: 8}) == [(0, 0), (0, 7)]


@pytest.mark.parametrize("again", [at(0, 0), end_of(0, 0)], ids=["message", "end"])
def test_log_that_is_cut_back_meanwhile_is_told(again: FakeMessage) -> None:
    with pytest.raises(TopicMoved, match="Partition 0 was cut back"):
        read([at(0, 0), at(0, 1), again], {0: 0}, {0: 3})


def test_silence_is_an_error() -> None:
    with pytest.raises(
        KafkaException, match=rf"Nothing has come from partitions \[0\] for {SILENCE_S:.0f} s"
    ):
        read([at(0, 0)], {0: 0}, {0: 3})


def test_error_of_the_client_is_an_error() -> None:
    with pytest.raises(KafkaException):
        read([FakeMessage(0, 0, KafkaError(KafkaError._ALL_BROKERS_DOWN), 0)], {0: 0}, {0: 3})
