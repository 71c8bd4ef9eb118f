from consumer.position import Position
from consumer.watch import Watch
from tests.unit.consumer.fake_kafka import OTHER_ID, TOPIC_ID, Clock, FakeTopic, event


def watching() -> tuple[FakeTopic, Clock, Watch]:
    topic, clock = FakeTopic(), Clock()
    return topic, clock, Watch(topic, interval_s=2, stale_after_s=10, clock=clock)


def at(*offsets: int) -> Position:
    return Position(TOPIC_ID, offsets)


def test_nothing_is_fresh_before_the_first_look() -> None:
    _, _, watch = watching()
    watch.confirm(at(0, 0))
    assert not watch.is_fresh


def test_a_quiet_topic_stays_fresh_as_long_as_kafka_answers() -> None:
    _, clock, watch = watching()
    for _ in range(20):
        watch.look()
        watch.confirm(at(0, 0))
        clock.now += 2
        assert watch.is_fresh


def test_without_answers_it_is_stale_after_a_while() -> None:
    _, clock, watch = watching()
    watch.look()
    watch.confirm(at(0, 0))
    clock.now += 9
    watch.confirm(at(0, 0))
    assert watch.is_fresh
    clock.now += 1
    assert not watch.is_fresh


def test_one_that_falls_behind_is_stale_until_it_has_read_what_there_was() -> None:
    topic, clock, watch = watching()
    topic.put(0, event("a"))
    for _ in range(6):
        watch.look()
        watch.confirm(at(0, 0))
        clock.now += 2
    assert not watch.is_fresh
    watch.confirm(at(1, 0))
    assert watch.is_fresh


def test_a_position_of_another_topic_confirms_nothing() -> None:
    _, _, watch = watching()
    watch.look()
    watch.confirm(Position(OTHER_ID, (0, 0)))
    assert not watch.is_fresh
