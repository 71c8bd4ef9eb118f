from local_stack.deadline import Deadline
from tests.clock import FakeClock


def test_deadline_ends_a_poll_of_a_condition_that_stays_false() -> None:
    calls = 0

    def never() -> bool:
        nonlocal calls
        calls += 1
        return False

    assert not Deadline(5, FakeClock(tick_s=1)).poll(never, pause=0)
    assert 1 < calls < 6


def test_deadline_of_zero_is_enough_for_a_condition_that_is_true() -> None:
    assert Deadline(0, FakeClock(tick_s=1)).poll(lambda: True)
