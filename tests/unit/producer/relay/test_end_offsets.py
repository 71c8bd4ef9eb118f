"""What a proof rests on: end offsets that the brokers were asked for, each partition on its own."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition

from producer.relay.end_offsets import EndOffsets
from tests.clock import FakeClock

STUCK_S = 30.0


class FakeAdmin:
    """Answers list_offsets when the test says so."""

    def __init__(self) -> None:
        self.questions: list[tuple[int, Future[Any]]] = []
        self.options: dict[str, Any] = {}

    def list_offsets(
        self, wanted: dict[TopicPartition, Any], **options: Any
    ) -> dict[TopicPartition, Future[Any]]:
        self.options = options
        answers: dict[TopicPartition, Future[Any]] = {partition: Future() for partition in wanted}
        self.questions += [(partition.partition, answer) for partition, answer in answers.items()]
        return answers

    def answer(self, partition: int, end: int) -> None:
        self._last(partition).set_result(SimpleNamespace(offset=end))

    def fail(self, partition: int, code: int) -> None:
        self._last(partition).set_exception(KafkaException(KafkaError(code)))

    def _last(self, partition: int) -> Future[Any]:
        return [answer for number, answer in self.questions if number == partition][-1]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(10.0)


@pytest.fixture
def admin() -> FakeAdmin:
    return FakeAdmin()


@pytest.fixture
def ends(admin: FakeAdmin, clock: FakeClock) -> EndOffsets:
    return EndOffsets(admin, "orders", clock)  # type: ignore[arg-type]


def test_proof_is_as_old_as_the_question(ends: EndOffsets, admin: FakeAdmin, clock: FakeClock) -> None:
    ends.ask({0: 0})
    clock.now = 12.0
    assert ends.reached({0: 5}) == {}  # no answer yet
    admin.answer(0, 7)
    assert ends.reached({0: 6}) == {}  # not read that far
    assert ends.reached({0: 7}) == {0: 10.0}
    assert ends.reached({0: 7}) == {}  # told once


def test_partition_that_does_not_answer_delays_no_other(ends: EndOffsets, admin: FakeAdmin) -> None:
    ends.ask({0: 0, 1: 0})
    admin.answer(1, 3)
    assert ends.reached({0: 0, 1: 3}) == {1: 10.0}


def test_each_partition_has_one_question_at_a_time(ends: EndOffsets, admin: FakeAdmin) -> None:
    assert ends.ask({0: 0, 1: 0}) == {0, 1}
    admin.answer(1, 0)
    ends.reached({0: 0, 1: 0})
    assert ends.ask({0: 0, 1: 0}) == {1}
    assert [partition for partition, _ in admin.questions] == [0, 1, 1]


def test_stuck_question_is_asked_anew(ends: EndOffsets, admin: FakeAdmin, clock: FakeClock) -> None:
    ends.ask({0: 0})
    clock.now += STUCK_S - 1
    assert ends.ask({0: 0}) == set()
    clock.now += 1
    assert ends.ask({0: 0}) == {0}
    admin.answer(0, 5)
    assert ends.reached({0: 5}) == {0: 10.0 + STUCK_S}


def test_negative_end_offset_proves_nothing(
    ends: EndOffsets, admin: FakeAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    """list_offsets answers -1001, without an exception, when a leader disappears."""
    ends.ask({0: 0})
    admin.answer(0, -1001)
    assert ends.reached({0: 100}) == {}
    assert "-1001" in caplog.text
    assert ends.ask({0: 0}) == {0}


def test_failed_question_proves_nothing_and_is_asked_again(ends: EndOffsets, admin: FakeAdmin) -> None:
    ends.ask({0: 0})
    admin.fail(0, KafkaError._TIMED_OUT)
    assert ends.reached({0: 100}) == {}
    assert ends.ask({0: 0}) == {0}


def test_partition_that_does_not_answer_is_logged_once(
    ends: EndOffsets, admin: FakeAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        ends.ask({0: 0})
        admin.fail(0, KafkaError._TIMED_OUT)
        ends.reached({0: 0})
    assert len(caplog.records) == 1


def test_ends_are_those_that_the_consumer_reads_to(ends: EndOffsets, admin: FakeAdmin) -> None:
    """The consumer reads committed messages only: an open transaction of others would stop every proof."""
    ends.ask({0: 0})
    assert admin.options["isolation_level"] == IsolationLevel.READ_COMMITTED
