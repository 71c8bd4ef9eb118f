"""Where a read-back begins, and what it tells when it has deleted."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import OFFSET_END, TopicPartition

from tests.clock import FakeClock
from tests.unit.producer.relay.fake_topic import TOPIC, FakeConsumer, FakeTopic
from tests.unit.producer.relay.readback_harness import LONG_AGO, FakeOutbox, prove, readback


def test_read_back_begins_five_minutes_before_the_oldest_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event may be older in Kafka than its row says."""
    topic, asked = FakeTopic(), list[int]()
    offsets_for_times = FakeConsumer.offsets_for_times

    def record(consumer: FakeConsumer, wanted: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        asked.extend(each.offset for each in wanted)
        return offsets_for_times(consumer, wanted, timeout)

    monkeypatch.setattr(FakeConsumer, "offsets_for_times", record)
    readback(FakeOutbox(oldest=LONG_AGO), topic, FakeClock()).step()
    assert asked == [int((LONG_AGO - timedelta(minutes=5)).timestamp() * 1000)] * 2


@pytest.mark.parametrize("answer", [None, (0, -1001), (-1001, -1001)])
def test_partition_that_does_not_say_where_it_ends_is_not_read_from_anywhere(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[int, int] | None
) -> None:
    """As librdkafka answers, without an error, when a leader has just gone."""
    topic = FakeTopic()
    ends = FakeConsumer.get_watermark_offsets

    def answer_for_one(consumer: FakeConsumer, partition: TopicPartition, timeout: float) -> Any:
        return answer if partition.partition == 1 else ends(consumer, partition, timeout)

    monkeypatch.setattr(FakeConsumer, "get_watermark_offsets", answer_for_one)
    readback(FakeOutbox(), topic, FakeClock()).step()
    assert topic.consumers[0].positions == {0: 0}


@pytest.mark.parametrize(
    ("answer", "begins"), [(-1001, {0: 0}), (OFFSET_END, {0: 0, 1: 2}), (1, {0: 0, 1: 1})]
)
def test_partition_is_read_from_the_offset_of_the_time_if_that_is_one(
    monkeypatch: pytest.MonkeyPatch, answer: int, begins: dict[int, int]
) -> None:
    topic = FakeTopic()
    topic.append(0, str(uuid4()))
    for _ in range(2):
        topic.append(1, str(uuid4()))
    offsets = FakeConsumer.offsets_for_times

    def answer_for_one(consumer: FakeConsumer, wanted: list[TopicPartition], timeout: float) -> Any:
        if wanted[0].partition == 1:
            return [TopicPartition(TOPIC, 1, answer)]
        return offsets(consumer, wanted, timeout)

    monkeypatch.setattr(FakeConsumer, "offsets_for_times", answer_for_one)
    readback(FakeOutbox(oldest=LONG_AGO), topic, FakeClock()).step()
    assert topic.consumers[0].positions == begins


def test_ends_are_asked_for_before_the_outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is published in between is behind those ends; one of before still has its row."""
    asked: list[str] = []
    ends = FakeConsumer.get_watermark_offsets

    def record(consumer: FakeConsumer, partition: TopicPartition, timeout: float) -> Any:
        asked.append("end")
        return ends(consumer, partition, timeout)

    class Outbox(FakeOutbox):
        def oldest_unparked(self) -> None:
            asked.append("outbox")

    monkeypatch.setattr(FakeConsumer, "get_watermark_offsets", record)
    readback(Outbox(), FakeTopic(), FakeClock()).step()
    assert asked == ["end", "end", "outbox"]


def test_successors_that_are_due_by_a_delete_are_told() -> None:
    released: list[None] = []

    class Outbox(FakeOutbox):
        successors = 0

        def delete(self, ids: list[str]) -> int:
            return self.successors

    topic, outbox = FakeTopic(), Outbox()
    stepped = readback(outbox, topic, FakeClock(), lambda: released.append(None))
    stepped.step()
    topic.append(0, str(uuid4()))
    prove(stepped)
    assert released == []
    outbox.successors = 1
    topic.append(0, str(uuid4()))
    prove(stepped)
    assert len(released) == 1
