"""The read-back without a thread, on a topic in memory."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from confluent_kafka import KafkaException

from producer.relay.readback import ReadBack
from tests.clock import FakeClock
from tests.unit.producer.relay.fake_topic import TOPIC, FakeTopic

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class FakeOutbox:
    """Rows by id; oldest: what `oldest_unparked` answers."""

    def __init__(self, *rows: str, oldest: datetime | None = None):
        self.rows, self.oldest = set(rows), oldest

    def oldest_unparked(self) -> datetime | None:
        return self.oldest

    def delete(self, ids: list[str]) -> int:
        self.rows -= set(ids)
        return 0


def readback(outbox: FakeOutbox, topic: FakeTopic, clock: FakeClock) -> ReadBack:
    return ReadBack(outbox, topic.new_consumer, topic.new_admin, TOPIC, lambda: None, clock)  # type: ignore[arg-type]


def prove(readback: ReadBack, steps: int = 4) -> None:
    readback.request_proof()
    for _ in range(steps):
        readback.step()


def test_read_back_deletes_rows_and_proves_it_step_by_step() -> None:
    event = str(uuid4())
    topic, clock, outbox = FakeTopic(), FakeClock(), FakeOutbox(event)
    stepped = readback(outbox, topic, clock)
    stepped.step()
    assert stepped.staleness_s() == float("inf")
    topic.append(1, event)
    prove(stepped)
    assert outbox.rows == set()
    assert stepped.staleness_s() == 0.0
    clock.now += 3
    assert stepped.staleness_s() == 3.0


def test_read_back_begins_anew_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, clock, outbox = FakeTopic(), FakeClock(), FakeOutbox(oldest=LONG_AGO)
    stepped = readback(outbox, topic, clock)
    prove(stepped)

    def fail(ids: list[str]) -> int:
        raise KafkaException("broken")

    monkeypatch.setattr(outbox, "delete", fail)
    topic.append(0, str(uuid4()))
    assert stepped.step() > 0
    assert stepped.staleness_s() == float("inf")
    monkeypatch.undo()
    prove(stepped)
    assert stepped.staleness_s() == 0.0


def test_read_back_leaves_the_topic_when_closed() -> None:
    topic, consumers = FakeTopic(), []

    def new_consumer() -> object:
        consumers.append(topic.new_consumer())
        return consumers[-1]

    stepped = ReadBack(FakeOutbox(), new_consumer, topic.new_admin, TOPIC, lambda: None, FakeClock())  # type: ignore[arg-type]
    stepped.step()
    stepped.close()
    assert [consumer.closed for consumer in consumers] == [True]
