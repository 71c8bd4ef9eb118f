"""When figures are published, and when not, on fakes and a clock that stands still."""

import json
import threading
from dataclasses import replace

import pytest

from projector.backoff import Backoff, BackoffPolicy
from projector.stats.publisher import AGAIN_S, EVERY_S, MOST_AGE_S, StatsPublisher
from projector.store.database import DatabaseUnavailable
from projector.store.queries import Figures, Stats
from projector.topic.kafka import KafkaUnavailable
from tests.clock import FakeClock
from tests.unit.projector.stats.figures import FIGURES, STATS


class FakeQueries:
    """Figures that a test changes. reading_s: how long all of them take."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.reading_s = 0.0
        self.is_down = self.gives_up = False
        self.now = STATS
        self.read = 0

    def stats(self) -> Stats:
        if self.is_down:
            raise DatabaseUnavailable("the database is away")
        return self.now

    def figures(self, minutes: int, items: int) -> Figures:
        self.read += 1
        self._clock.now += self.reading_s
        if self.gives_up:
            raise DatabaseUnavailable("canceling statement due to statement timeout")
        return replace(FIGURES, stats=self.stats())


class FakeTopic:
    """Keeps what is sent, unless it is down."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.is_down = False

    def send(self, value: bytes) -> None:
        if self.is_down:
            raise KafkaUnavailable("no answer")
        self.sent.append(json.loads(value)["events"])


class Scene:
    def __init__(self) -> None:
        self.clock, self.topic = FakeClock(), FakeTopic()
        self.queries = FakeQueries(self.clock)
        self.is_ours = True
        self.publisher = StatsPublisher(
            self.queries,
            self.topic,
            lambda: self.is_ours,
            Backoff(BackoffPolicy(0.2, 5.0), rand=lambda: 1.0),
            self.clock,
        )

    def count(self, events: int) -> None:
        self.queries.now = replace(STATS, events=events)

    def run_for(self, seconds: float) -> list[float]:
        """Let the thread run for as long, and return its pauses."""
        end, pauses = self.clock.now + seconds, []
        while self.clock.now < end:
            pauses.append(self.publisher.step())
            self.clock.now += pauses[-1]
        return pauses


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_changes_are_published_once_a_second_at_most(scene: Scene) -> None:
    for events in range(1, 6):
        scene.count(events)
        assert scene.run_for(1) == [EVERY_S]
    assert scene.topic.sent == [1, 2, 3, 4, 5]
    assert (scene.publisher.published, scene.publisher.failed) == (5, 0)


def test_figures_that_stay_the_same_are_published_again_before_they_seem_old(scene: Scene) -> None:
    scene.run_for(3 * AGAIN_S)
    assert len(scene.topic.sent) == 3
    assert scene.queries.read == 3  # all the rest was the one cheap question


def test_who_does_not_have_the_partition_asks_nothing_and_publishes_at_once_when_it_has(scene: Scene) -> None:
    scene.is_ours, scene.queries.is_down = False, True
    scene.run_for(30)
    assert (scene.topic.sent, scene.publisher.failed, scene.publisher.problem) == ([], 0, "")
    scene.is_ours, scene.queries.is_down = True, False
    scene.run_for(1)
    scene.is_ours = False
    scene.run_for(1)
    scene.is_ours = True
    scene.run_for(1)
    assert len(scene.topic.sent) == 2  # another one may have published older figures meanwhile


def test_failed_publish_is_counted_and_tried_again_later_and_later_until_it_works(scene: Scene) -> None:
    scene.topic.is_down = True
    pauses = scene.run_for(30)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (EVERY_S, 5.0)
    assert (scene.publisher.failed, scene.publisher.problem) == (len(pauses), "no answer")
    scene.topic.is_down = False
    assert scene.run_for(1) == [EVERY_S]
    assert (scene.topic.sent, scene.publisher.problem) == ([STATS.events], "")
    scene.topic.is_down = True
    scene.count(7)
    assert scene.run_for(1) == [EVERY_S]  # as short again as the first time


def test_database_that_is_away_is_told(scene: Scene) -> None:
    scene.queries.is_down = True
    scene.run_for(1)
    assert (scene.publisher.failed, scene.publisher.problem) == (1, "the database is away")


def test_figures_that_were_read_before_a_freeze_are_not_published(scene: Scene) -> None:
    """Another instance has gone on meanwhile: its figures would be replaced by ours."""
    scene.queries.reading_s = MOST_AGE_S + 1
    scene.publisher.step()
    assert (scene.topic.sent, scene.publisher.published) == ([], 0)
    scene.queries.reading_s = 0
    scene.publisher.step()
    assert scene.topic.sent == [STATS.events]


@pytest.mark.parametrize(("reading_s", "pause_s"), [(0.05, EVERY_S), (0.5, 4.5), (5, AGAIN_S)])
def test_reading_takes_a_tenth_of_the_time_unless_it_is_slow(
    scene: Scene, reading_s: float, pause_s: float
) -> None:
    scene.queries.reading_s = reading_s
    assert scene.publisher.step() == pytest.approx(pause_s)


def test_reading_that_is_given_up_costs_the_database_no_more(scene: Scene) -> None:
    scene.queries.reading_s, scene.queries.gives_up = 5, True
    assert scene.run_for(60) == [AGAIN_S] * 4
    assert scene.publisher.problem == "canceling statement due to statement timeout"


def test_thread_ends_when_it_is_told_to(scene: Scene) -> None:
    stopping = threading.Event()
    thread = threading.Thread(target=scene.publisher.run, args=[stopping])
    thread.start()
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()
