"""The group has the last word on who is a member; for how long the client may not know it."""

from projector.topic.kafka import KafkaUnavailable, Rebalancing
from projector.topic.membership import Membership
from tests.clock import FakeClock

PATIENCE_S = 30.0
BOTH = frozenset({0, 1})


class FakeGroup:
    """assigned_to_us: what the group answers, or raises."""

    def __init__(self) -> None:
        self.assigned_to_us: frozenset[int] | Exception | None = BOTH
        self.asked = 0

    def assigned(self) -> frozenset[int] | None:
        self.asked += 1
        if isinstance(self.assigned_to_us, Exception):
            raise self.assigned_to_us
        return self.assigned_to_us


class Scene:
    def __init__(self) -> None:
        self.group, self.clock = FakeGroup(), FakeClock()
        self.ours: frozenset[int] | None = BOTH
        self.membership = Membership(lambda: self.group, lambda: self.ours, self.clock, 5, PATIENCE_S)
        self.began_at = self.clock.now

    def problem_after(self, seconds: float) -> str:
        """Look once, and again after so many seconds; return the problem then."""
        self.membership.look()
        self.clock.now += seconds
        self.membership.look()
        return self.membership.problem_since(self.began_at)


def test_no_problem_while_both_agree() -> None:
    assert Scene().problem_after(1000) == ""


def test_client_that_reads_nothing_while_the_group_does_not_have_it_is_lost() -> None:
    scene = Scene()
    scene.ours, scene.group.assigned_to_us = frozenset(), None
    assert scene.problem_after(PATIENCE_S - 1) == ""
    scene.clock.now += 1
    assert "the group does not have this instance" in scene.membership.problem_since(scene.began_at)


def test_client_that_reads_other_partitions_than_the_group_says_is_lost() -> None:
    scene = Scene()
    scene.ours = frozenset({1})
    assert scene.problem_after(PATIENCE_S) == (
        "the group has assigned [0, 1] to this instance, and its client has [1]"
    )


def test_member_without_partitions_is_none_the_less_a_member() -> None:
    """There may be more instances than partitions."""
    scene = Scene()
    scene.ours = scene.group.assigned_to_us = frozenset()
    assert scene.problem_after(1000) == ""


def test_agreement_in_between_begins_the_time_anew() -> None:
    scene = Scene()
    scene.ours = frozenset()
    for _ in range(3):
        assert scene.problem_after(PATIENCE_S - 1) == ""
        scene.group.assigned_to_us = frozenset()
        scene.membership.look()
        scene.group.assigned_to_us = BOTH


def test_new_client_is_given_the_whole_time() -> None:
    scene = Scene()
    scene.ours = frozenset()
    assert scene.problem_after(PATIENCE_S)
    scene.began_at = scene.clock.now
    assert scene.problem_after(PATIENCE_S - 1) == ""
    assert scene.problem_after(1)


def test_unknown_is_no_disagreement() -> None:
    for answer in (KafkaUnavailable("no answer"), Rebalancing()):
        scene = Scene()
        scene.group.assigned_to_us, scene.ours = answer, frozenset()
        assert scene.problem_after(1000) == ""


def test_group_is_not_asked_while_there_is_no_client() -> None:
    scene = Scene()
    scene.ours, scene.group.assigned_to_us = None, None
    assert scene.problem_after(1000) == ""
    assert scene.group.asked == 0
