from consumer.ring.position import Position
from consumer.topic.freshness import FreshnessMonitor
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID, FakeTopic, event


def watching() -> tuple[FakeTopic, FakeClock, FreshnessMonitor]:
    topic, clock = FakeTopic(), FakeClock()
    return topic, clock, FreshnessMonitor(topic, interval_s=2, stale_after_s=10, clock=clock)


def at(*offsets: int) -> Position:
    return Position(TOPIC_ID, offsets)


def test_nothing_is_fresh_before_the_first_look() -> None:
    _, _, monitor = watching()
    monitor.report(at(0, 0))
    assert not monitor.is_fresh


def test_a_quiet_topic_stays_fresh_as_long_as_kafka_answers() -> None:
    _, clock, monitor = watching()
    for _ in range(20):
        monitor.refresh()
        monitor.report(at(0, 0))
        clock.now += 2
        assert monitor.is_fresh


def test_without_answers_it_is_stale_after_a_while() -> None:
    _, clock, monitor = watching()
    monitor.refresh()
    monitor.report(at(0, 0))
    clock.now += 9
    monitor.report(at(0, 0))
    assert monitor.is_fresh
    clock.now += 1
    assert not monitor.is_fresh


def test_one_that_falls_behind_is_stale_until_it_has_read_what_there_was() -> None:
    topic, clock, monitor = watching()
    topic.put(0, event("a"))
    for _ in range(6):
        monitor.refresh()
        monitor.report(at(0, 0))
        clock.now += 2
    assert not monitor.is_fresh
    monitor.report(at(1, 0))
    assert monitor.is_fresh


def test_a_position_of_another_topic_confirms_nothing() -> None:
    _, _, monitor = watching()
    monitor.refresh()
    monitor.report(Position(OTHER_ID, (0, 0)))
    assert not monitor.is_fresh
