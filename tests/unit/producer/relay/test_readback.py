from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from producer.relay.end_offsets import EndOffsets
from producer.relay.readback import event_id_of
from tests.clock import FakeClock

ID = "01939b1e-6b1c-7c3a-8b1e-0123456789ab"


class FakeAdmin:
    """Answers list_offsets when the test says so."""

    def __init__(self) -> None:
        self.answers: dict[int, Future[Any]] = {}

    def list_offsets(self, wanted: dict[Any, Any], request_timeout: float) -> dict[Any, Future[Any]]:
        futures: dict[Any, Future[Any]] = {partition: Future() for partition in wanted}
        self.answers = {partition.partition: future for partition, future in futures.items()}
        return futures

    def answer(self, **ends: int) -> None:
        for partition, end in ends.items():
            self.answers[int(partition[1:])].set_result(SimpleNamespace(offset=end))


def test_the_proof_is_as_old_as_the_question() -> None:
    clock, admin = FakeClock(10.0), FakeAdmin()
    ends = EndOffsets(admin, "orders", clock)  # type: ignore[arg-type]
    assert ends.ask([0, 1])
    clock.now = 12.0
    assert ends.reached_at({0: 5, 1: 5}) is None  # no answer yet
    admin.answer(p0=5)
    assert ends.reached_at({0: 5, 1: 5}) is None  # half of one
    admin.answer(p1=7)
    assert ends.reached_at({0: 5, 1: 6}) is None  # not read that far
    assert ends.reached_at({0: 5, 1: 7}) == 10.0
    assert ends.reached_at({0: 5, 1: 7}) is None  # told once


def test_one_question_at_a_time() -> None:
    admin = FakeAdmin()
    ends = EndOffsets(admin, "orders", FakeClock(10.0))  # type: ignore[arg-type]
    assert ends.ask([0])
    assert not ends.ask([0])
    admin.answer(p0=0)
    assert ends.reached_at({0: 0}) is not None
    assert ends.ask([0])


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([("id", ID.encode())], ID),
        ([("content-type", b"x"), ("id", ID.upper().encode())], ID.upper()),
        ([("id", b"not-an-id")], None),
        ([("id", b"\xff\xfe")], None),
        ([("id", None)], None),
        ([("id", b"")], None),
        ([], None),
        (None, None),
    ],
)
def test_the_event_id_is_in_the_header(headers: Any, found: str | None) -> None:
    assert event_id_of(SimpleNamespace(headers=lambda: headers)) == found  # type: ignore[arg-type]
