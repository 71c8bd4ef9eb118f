"""The tail of the figures, on a topic in memory."""

from collections.abc import Callable

import pytest

from consumer.ring.stats import LatestStats
from consumer.topic.kafka import Topic, TopicMissing
from consumer.topic.stats import read_stats
from consumer.topic.stats_tail import READ_BACK, SILENCE_S, StatsTail
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import FakeTopic
from tests.unit.consumer.topic.order_stats import figures


class MissingTopic(FakeTopic):
    """A topic that does not exist while `is_missing`."""

    is_missing = False

    def describe(self) -> Topic:
        if self.is_missing:
            raise TopicMissing("the topic does not exist")
        return super().describe()


class Scene:
    """A tail whose reader finds each time what the next step has done."""

    def __init__(self) -> None:
        self.topic, self.clock = MissingTopic(1), FakeClock()
        self.latest = LatestStats(self.clock)
        self.tail = StatsTail(self.latest, self.topic, self.topic.open_reader, self.clock)

    def put(self, *payloads: bytes | None) -> None:
        self.topic.put(0, *payloads)

    def run(self, *steps: Callable[[], object]) -> None:
        """Run the tail's thread until it has read everything after the last of these steps."""
        self.topic.end_of_steps.clear()
        self.topic.steps = list(steps)
        self.tail.run(self.topic.end_of_steps)

    @property
    def shown(self) -> bytes | None:
        _, stats = self.latest.get()
        return stats.payload if stats else None


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_newest_figures_of_before_are_there_at_once_and_new_ones_follow(scene: Scene) -> None:
    scene.put(figures(1), figures(2))
    scene.run()
    assert scene.shown == figures(2)
    scene.run(lambda: scene.put(figures(3)))
    assert (scene.shown, scene.tail.problem) == (figures(3), "")


def test_only_the_end_of_the_topic_is_read(scene: Scene) -> None:
    scene.put(*(figures(n) for n in range(100)))
    scene.run()
    assert scene.topic.opened == [[100 - READ_BACK]]
    assert scene.latest.number == READ_BACK


def test_of_two_that_were_published_at_once_the_newer_one_counts(scene: Scene) -> None:
    scene.put(figures(7), figures(6))
    scene.run()
    assert scene.shown == figures(7)


def test_garbage_is_counted_and_the_last_figures_stay(scene: Scene) -> None:
    scene.put(figures(1), b"{", None)
    scene.run(lambda: scene.put(b"garbage"))
    assert (scene.shown, scene.tail.unreadable) == (figures(1), 3)


def test_without_a_topic_or_brokers_it_says_so_and_goes_on_later(scene: Scene) -> None:
    scene.topic.is_missing = True
    ends = iter([False, False, True])
    scene.topic.end_of_steps.is_set = lambda: next(ends)  # type: ignore[method-assign]
    scene.tail.run(scene.topic.end_of_steps)
    assert scene.tail.problem == "the topic does not exist"
    del scene.topic.end_of_steps.is_set
    scene.topic.is_missing = False
    scene.put(figures(1))
    scene.run()
    assert (scene.shown, scene.tail.problem) == (figures(1), "")


def let_time_pass(scene: Scene) -> Callable[[], None]:
    def step() -> None:
        scene.clock.now += SILENCE_S + 1

    return step


def test_reader_that_is_given_nothing_although_there_is_more_is_replaced(scene: Scene) -> None:
    """After all brokers were away at once, a reader may be silent for ever; only a new one helps."""
    scene.topic.silent_readers = 1
    scene.run(lambda: scene.put(figures(1)), let_time_pass(scene), lambda: None)
    assert len(scene.topic.opened) == 2
    assert scene.shown == figures(1)


def test_quiet_topic_keeps_its_reader(scene: Scene) -> None:
    scene.put(figures(1))
    scene.run(*[let_time_pass(scene)] * 5)
    assert len(scene.topic.opened) == 1


def test_topic_that_was_created_anew_is_read_from_its_beginning(scene: Scene) -> None:
    scene.put(figures(1), figures(2))

    def recreate() -> None:
        scene.topic.recreate(1)
        scene.put(figures(3))

    scene.run(recreate, let_time_pass(scene), lambda: None)
    assert scene.shown == figures(3)


def test_figures_that_are_read_can_be_kept() -> None:
    assert read_stats(figures()).payload == figures()
