from local_stack.deadline import Deadline


class TickingClock:
    """A clock that is one second later at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_deadline_ends_a_poll_of_what_stays_false():
    calls = []
    assert not Deadline(5, TickingClock()).poll(lambda: bool(calls.append(1)), pause=0)
    assert 1 < len(calls) < 6


def test_deadline_of_zero_is_enough_for_a_condition_that_is_true():
    assert Deadline(0, TickingClock()).poll(lambda: True)
