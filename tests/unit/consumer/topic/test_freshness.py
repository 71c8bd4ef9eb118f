from consumer.ring.position import Position
from consumer.topic.freshness import FreshnessMonitor
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID, FakeTopic, event


def quiet_topic() -> tuple[FakeTopic, FakeClock, FreshnessMonitor]:
    topic, clock = FakeTopic(), FakeClock()
    return topic, clock, FreshnessMonitor(topic, interval_s=2, stale_after_s=10, clock=clock)


def at(*offsets: int) -> Position:
    return Position(TOPIC_ID, offsets)


def test_monitor_is_not_fresh_before_the_first_snapshot() -> None:
    _, _, monitor = quiet_topic()
    monitor.report(at(0, 0))
    assert not monitor.is_fresh


def test_monitor_of_a_quiet_topic_stays_fresh_as_long_as_kafka_answers() -> None:
    _, clock, monitor = quiet_topic()
    for _ in range(20):
        monitor.refresh()
        monitor.report(at(0, 0))
        clock.now += 2
        assert monitor.is_fresh


def test_monitor_is_stale_after_a_while_without_snapshots() -> None:
    _, clock, monitor = quiet_topic()
    monitor.refresh()
    monitor.report(at(0, 0))
    clock.now += 9
    monitor.report(at(0, 0))
    assert monitor.is_fresh
    clock.now += 1
    assert not monitor.is_fresh


def test_monitor_is_stale_while_reading_lags_behind_the_snapshot() -> None:
    topic, clock, monitor = quiet_topic()
    topic.put(0, event("a"))
    for _ in range(6):
        monitor.refresh()
        monitor.report(at(0, 0))
        clock.now += 2
    assert not monitor.is_fresh
    monitor.report(at(1, 0))
    assert monitor.is_fresh


def test_monitor_ignores_a_position_of_another_topic() -> None:
    _, _, monitor = quiet_topic()
    monitor.refresh()
    monitor.report(Position(OTHER_ID, (0, 0)))
    assert not monitor.is_fresh
