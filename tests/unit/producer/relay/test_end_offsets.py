from concurrent.futures import Future
from typing import Any, cast

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo

from producer.relay.end_offsets import EndOffsets
from tests.clock import FakeClock

Answer = Future[ListOffsetsResultInfo]


class FakeAdmin:
    """Answers list_offsets when the test says so."""

    def __init__(self) -> None:
        self.answers: dict[int, Answer] = {}

    def list_offsets(
        self, wanted: dict[TopicPartition, Any], request_timeout: float
    ) -> dict[TopicPartition, Answer]:
        """Return a future for each partition."""
        futures: dict[TopicPartition, Answer] = {partition: Future() for partition in wanted}
        self.answers = {partition.partition: future for partition, future in futures.items()}
        return futures

    def answer(self, partition: int, end: int) -> None:
        """Give the end offset of a partition."""
        self.answers[partition].set_result(ListOffsetsResultInfo(end, timestamp=-1, leader_epoch=-1))


def end_offsets(admin: FakeAdmin, clock: FakeClock) -> EndOffsets:
    return EndOffsets(cast("AdminClient", admin), "orders", clock)


def test_proof_dates_from_the_question_and_needs_every_end_to_be_reached() -> None:
    clock, admin = FakeClock(10.0), FakeAdmin()
    ends = end_offsets(admin, clock)
    assert ends.ask([0, 1])
    clock.now = 12.0
    assert ends.reached_at({0: 5, 1: 5}) is None  # no answer yet
    admin.answer(0, end=5)
    assert ends.reached_at({0: 5, 1: 5}) is None  # one answer of two
    admin.answer(1, end=7)
    assert ends.reached_at({0: 5, 1: 6}) is None  # not read that far
    assert ends.reached_at({0: 5, 1: 7}) == 10.0
    assert ends.reached_at({0: 5, 1: 7}) is None  # a proof is given once


def test_end_offsets_are_asked_by_one_question_at_a_time() -> None:
    admin = FakeAdmin()
    ends = end_offsets(admin, FakeClock())
    assert ends.ask([0])
    assert not ends.ask([0])
    admin.answer(0, end=0)
    assert ends.reached_at({0: 0}) is not None
    assert ends.ask([0])
