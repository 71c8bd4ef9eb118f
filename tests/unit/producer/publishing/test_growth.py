"""The command that gives the topic more partitions, step by step, on a layout and a topic in memory."""

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from producer.publishing.growth import (
    MOST_PARTITIONS,
    MOST_WAITING,
    NOTICE_S,
    READ_BACK_S,
    STOPPED_READ_BACK_S,
    Growth,
    GrowthRefused,
)
from producer.publishing.layout_change import RELAYED_S, STOPPED_S, HoldEnded
from tests.clock import FakeClock


class Scene:
    """A Change and a GrowingTopic that keep a diary. At each wait, time passes and `at_each_wait` is called.

    open_readers: transactions that have read the layout. waiting: events that are not read back. claimed: whether a
    relay has any of them on its way. captured: whether Debezium has passed the log's end.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.count, self.used = 3, 0
        self.stuck: list[int] = []
        self.is_turn = True
        self.open_readers: set[str] = set()
        self.waiting: list[str] = []
        self.claimed, self.captured = False, True
        self.fails_to_put = False
        self.held_until = self.stopped_until = float("-inf")
        self.diary: list[str] = []
        self.said: list[str] = []
        self.at_each_wait: Callable[[], object] = lambda: None
        self.growth = Growth(Layout(self), self, self.said.append, self.clock, self.wait)  # type: ignore[arg-type]

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.at_each_wait()

    def take_turn(self) -> bool:
        return self.is_turn

    def relay_only(self, partitions: int) -> None:
        self.diary.append(f"relay only, by {partitions}")
        self.used, self.held_until = partitions, self.clock.now + RELAYED_S

    def keep(self) -> None:
        self._require_held()
        self.held_until = self.clock.now + RELAYED_S

    def stop(self) -> None:
        self._require_held()
        self.diary.append("stop")
        self.held_until = self.stopped_until = self.clock.now + STOPPED_S

    def switch(self, partitions: int) -> None:
        self._require_held()
        self.diary.append(f"switch to {partitions}")
        self.used, self.held_until = partitions, float("-inf")

    def release(self) -> None:
        self.diary.append("release")
        self.held_until = float("-inf")

    def readers(self) -> set[str]:
        return set(self.open_readers)

    def on_their_way(self, limit: int) -> list[str]:
        return self.waiting[:limit]

    def are_read_back(self, ids: list[str]) -> bool:
        return not set(ids) & set(self.waiting)

    def log_end(self) -> str:
        return f"{self.diary[-1]}, {len(self.waiting)} wait"

    def is_captured(self, log_end: str) -> bool:
        assert log_end.startswith("relay only")
        return self.captured

    def has_claimed(self) -> bool:
        return self.claimed

    def partitions(self) -> int:
        """Return how many the topic has; a Layout says how many are used."""
        return self.count

    def not_ready(self) -> list[int]:
        return self.stuck

    def add(self, partitions: int) -> None:
        self.diary.append(f"add up to {partitions}")
        self.count = partitions

    def ends(self, partitions: int) -> list[int]:
        return [10 * number for number in range(partitions)]

    def put_signposts(self, partitions: int, ends: list[int]) -> None:
        self.diary.append(f"signpost in {partitions}: after {ends}")
        if self.fails_to_put:
            raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT))

    def _require_held(self) -> None:
        if self.clock.now >= self.held_until:
            raise HoldEnded


class Layout:
    """The Change of a scene, whose partitions() is the number that is used."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def partitions(self) -> int:
        return self._scene.used

    def __getattr__(self, name: str) -> object:
        return getattr(self._scene, name)


@pytest.fixture
def scene() -> Scene:
    return Scene()


GROWN = [
    "relay only, by 3", "add up to 6", "stop", "signpost in 6: after [0, 10, 20]", "switch to 6", "release",
]  # fmt: skip


def test_partitions_are_added_and_used_when_nothing_is_on_its_way(scene: Scene) -> None:
    scene.growth.grow(6)
    assert scene.diary == GROWN
    assert scene.said[-1] == "Publishing paused 0.0 s. Events are published by 6 partitions now."


def test_everybody_has_time_to_notice_before_publishing_stops(scene: Scene) -> None:
    began_at = scene.clock.now
    scene.growth.grow(6)
    assert scene.clock.now - began_at == pytest.approx(NOTICE_S, abs=1)


def test_a_transaction_that_may_have_seen_the_layout_of_before_is_waited_for(scene: Scene) -> None:
    scene.open_readers = {"3/14"}
    diary_then: list[str] = []

    def end() -> None:
        if scene.clock.now > 1005:
            if "3/14" in scene.open_readers:
                diary_then.extend(scene.diary)
            scene.open_readers = {f"a later one, at {scene.clock.now}"}

    scene.at_each_wait = end
    scene.growth.grow(6)
    assert (diary_then, scene.diary) == (GROWN[:1], GROWN)


def test_what_was_on_its_way_is_read_back_before_partitions_are_added(scene: Scene) -> None:
    scene.waiting = ["a", "b"]
    seen: list[list[str]] = []

    def read_back() -> None:
        if scene.waiting:
            seen.append(list(scene.diary))
            scene.waiting.pop()

    scene.at_each_wait = read_back
    scene.growth.grow(6)
    assert (seen, scene.diary) == ([GROWN[:1]] * 2, GROWN)


def test_debezium_has_passed_what_names_no_partition_before_partitions_are_added(scene: Scene) -> None:
    scene.captured = False
    seen: list[list[str]] = []

    def capture() -> None:
        if not scene.captured:
            seen.append(list(scene.diary))
            scene.captured = len(seen) == 3

    scene.at_each_wait = capture
    scene.growth.grow(6)
    assert (seen, scene.diary) == ([GROWN[:1]] * 3, GROWN)


def test_events_that_come_meanwhile_are_not_waited_for(scene: Scene) -> None:
    scene.at_each_wait = lambda: scene.waiting.append("later")
    scene.growth.grow(6)
    assert scene.diary == GROWN


def test_what_the_relay_has_claimed_is_read_back_before_the_number_changes(scene: Scene) -> None:
    scene.claimed = True

    def read_back() -> None:
        if "stop" in scene.diary:
            assert scene.diary[-1] == "stop"
            scene.claimed = scene.clock.now < scene.stopped_until - STOPPED_S + 2

    scene.at_each_wait = read_back
    scene.growth.grow(6)
    assert scene.diary == GROWN
    assert scene.said[-1].startswith("Publishing paused 2.0 s.")


@pytest.mark.parametrize(
    ("stays", "told", "after_s"),
    [
        ({"waiting": ["a"]}, "does a relay run", READ_BACK_S),
        ({"captured": False}, "Debezium has not read", READ_BACK_S),
        ({"claimed": True}, "What the relay had on its way", STOPPED_READ_BACK_S),
        ({"open_readers": {"3/14"}}, "A transaction has not ended", 20),
    ],
)
def test_what_does_not_end_ends_the_command_and_its_hold(
    scene: Scene, stays: dict[str, object], told: str, after_s: float
) -> None:
    vars(scene).update(stays)
    began_at = scene.clock.now
    with pytest.raises(GrowthRefused, match=told):
        scene.growth.grow(6)
    assert (scene.diary[-1], scene.used) == ("release", 3)
    assert scene.clock.now - began_at < after_s + NOTICE_S + 2


def test_hold_that_has_ended_meanwhile_changes_nothing(scene: Scene) -> None:
    """The command was frozen: everybody publishes again, by the old number."""

    def freeze() -> None:
        if "add up to 6" in scene.diary:
            scene.clock.now += RELAYED_S

    scene.at_each_wait = freeze
    with pytest.raises(HoldEnded):
        scene.growth.grow(6)
    assert (scene.diary, scene.used) == ([*GROWN[:2], "release"], 3)


def test_command_that_was_killed_after_the_partitions_were_added_is_repeated(scene: Scene) -> None:
    scene.count, scene.used = 6, 3
    scene.growth.grow(6)
    assert scene.diary == [
        *GROWN[:1], "stop", "signpost in 6: after [0, 10, 20, 30, 40, 50]", "switch to 6", "release",
    ]  # fmt: skip


def test_signposts_name_all_partitions_that_may_have_events(scene: Scene) -> None:
    """PostgreSQL was restored to before a growth: there are events in more partitions than are used now."""
    scene.count, scene.used = 6, 3
    scene.growth.grow(12)
    assert "signpost in 12: after [0, 10, 20, 30, 40, 50]" in scene.diary


def test_topic_that_was_created_again_has_as_many_as_are_used_before_anything_else(scene: Scene) -> None:
    """Events are published to partitions that it does not have, so they wait for them."""
    scene.used, scene.waiting = 6, ["a"]
    scene.at_each_wait = scene.waiting.clear
    scene.growth.grow(6)
    assert scene.diary[:2] == ["add up to 6", "relay only, by 6"]
    assert (scene.count, scene.used) == (6, 6)


def test_signpost_that_is_not_acknowledged_leaves_the_number(scene: Scene) -> None:
    scene.fails_to_put = True
    with pytest.raises(KafkaException):
        scene.growth.grow(6)
    assert (scene.diary[-1], scene.used) == ("release", 3)


@pytest.mark.parametrize("used", [0, 3])
def test_same_number_is_no_error(scene: Scene, used: int) -> None:
    scene.used = used
    scene.growth.grow(3)
    assert (scene.diary, scene.said) == ([], ["The topic has 3 partitions already."])


@pytest.mark.parametrize(
    ("change", "wanted", "told"),
    [
        ({}, 2, "The topic has 3 partitions, and Kafka takes none away: 2 are fewer."),
        ({}, MOST_PARTITIONS + 1, "101 partitions are more than 100"),
        ({"stuck": [1]}, 6, r"Partitions \[1\] have no leader"),
        ({"waiting": ["x"] * (MOST_WAITING + 1)}, 6, "More than 10000 events wait"),
        ({"is_turn": False}, 6, "Another command"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_held(
    scene: Scene, change: dict[str, object], wanted: int, told: str
) -> None:
    vars(scene).update(change)
    with pytest.raises(GrowthRefused, match=told):
        scene.growth.grow(wanted)
    assert scene.diary == []
