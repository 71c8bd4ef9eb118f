from local_stack.deadline import Deadline


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_a_deadline_ends_the_wait():
    looks = []
    assert not Deadline(5, Clock()).poll(lambda: bool(looks.append(1)), pause=0)
    assert 1 < len(looks) < 6


def test_what_is_true_at_once_needs_no_wait():
    assert Deadline(0, Clock()).poll(lambda: True)
