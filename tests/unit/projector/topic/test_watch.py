from uuid import UUID

from projector.readmodel.placement import Position
from projector.topic.watch import Watch
from tests.clock import FakeClock
from tests.order_events import Told
from tests.unit.projector.fake_store import FakeStore
from tests.unit.projector.messages import TOPIC_ID, message
from tests.unit.projector.topic.fake_kafka import FakeTopic


class Scene:
    def __init__(self) -> None:
        self.topic, self.store, self.clock = FakeTopic(1), FakeStore(), FakeClock()
        self.watch = Watch(lambda: self.topic, lambda: self.store.positions, self.clock, 2)

    def look_after(self, seconds: float) -> None:
        self.clock.now += seconds
        self.watch.look()


def test_an_empty_topic_that_nobody_has_read_is_not_behind() -> None:
    scene = Scene()
    scene.look_after(5)
    assert scene.watch.behind_s == 0
    assert scene.watch.lag({}) == {0: 0}


def test_what_is_not_applied_makes_it_later_and_later() -> None:
    scene = Scene()
    scene.look_after(5)
    scene.topic.append(message(Told(UUID(int=1)), 0, 0))
    scene.look_after(5)
    scene.look_after(5)
    assert scene.watch.behind_s == 10
    assert scene.watch.lag(scene.store.positions) == {0: 1}
    scene.store.positions[0] = Position(TOPIC_ID, 1)
    scene.look_after(5)
    assert scene.watch.behind_s == 0


def test_one_that_starts_behind_is_near_the_end_only_once_it_was_there() -> None:
    scene = Scene()
    scene.topic.append(message(Told(UUID(int=1)), 0, 0))
    scene.look_after(1)
    assert not scene.watch.has_caught_up
    scene.store.positions[0] = Position(TOPIC_ID, 1)
    scene.look_after(1)
    assert scene.watch.has_caught_up
    scene.topic.append(message(Told(UUID(int=2)), 0, 1))
    scene.look_after(1)
    assert scene.watch.has_caught_up
    assert scene.watch.behind_s == 1


def test_reading_what_was_there_at_the_last_look_is_enough_under_load() -> None:
    scene = Scene()
    for offset in range(5):
        scene.topic.append(message(Told(UUID(int=offset + 1)), 0, offset))
        scene.store.positions[0] = Position(TOPIC_ID, offset)
        scene.look_after(2)
    assert scene.watch.behind_s == 2


def test_position_in_another_topic_counts_for_nothing() -> None:
    scene = Scene()
    scene.topic.append(message(Told(UUID(int=1)), 0, 0))
    scene.store.positions[0] = Position("another", 100)
    scene.look_after(5)
    assert scene.watch.lag(scene.store.positions) == {0: 1}
    assert scene.watch.behind_s == 5


def test_kafka_or_the_database_that_does_not_answer_is_told_and_time_goes_on() -> None:
    scene = Scene()
    scene.look_after(1)
    scene.topic.down = True
    scene.look_after(3)
    assert scene.watch.problem == "no answer"
    assert scene.watch.behind_s == 3
    scene.topic.down = False
    scene.look_after(3)
    assert scene.watch.problem == ""
    assert scene.watch.behind_s == 0


def test_topic_is_told_only_if_it_was_seen_since() -> None:
    scene = Scene()
    scene.look_after(1)
    assert scene.watch.topic_id_since(scene.clock.now) is None
    began = scene.clock.now
    scene.look_after(1)
    assert scene.watch.topic_id_since(began) == TOPIC_ID
