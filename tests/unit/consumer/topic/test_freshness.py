import threading

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


def test_snapshot_is_as_old_as_its_question() -> None:
    """What came in while the brokers were answering may be missing in it."""
    topic, clock, monitor = quiet_topic()
    end_offsets = topic.end_offsets

    def answer_late(partitions: int) -> tuple[int, ...]:
        offsets = end_offsets(partitions)
        clock.now += 5
        return offsets

    topic.end_offsets = answer_late  # type: ignore[method-assign]
    monitor.refresh()
    monitor.report(at(0, 0))
    clock.now += 4.9
    assert monitor.is_fresh
    clock.now += 0.1
    assert not monitor.is_fresh


class SlowTopic(FakeTopic):
    """A topic that answers the first question for its end late. asked: set once it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer = threading.Event(), threading.Event()

    def end_offsets(self, partitions: int) -> tuple[int, ...]:
        """Return the offsets as they were when asked."""
        offsets = super().end_offsets(partitions)
        if not self.asked.is_set():
            self.asked.set()
            self.may_answer.wait(10)
        return offsets


def test_monitor_keeps_no_older_snapshot_than_one_it_had() -> None:
    """The tail takes a snapshot at the start of a session, while the monitor's thread may be taking one."""
    topic = SlowTopic()
    monitor = FreshnessMonitor(topic, interval_s=2, stale_after_s=10, clock=FakeClock())
    first, second = (threading.Thread(target=monitor.refresh) for _ in range(2))
    first.start()
    assert topic.asked.wait(10)
    topic.put(0, event("a"))
    second.start()
    second.join(0.2)  # enough for one that does not wait for the first
    topic.may_answer.set()
    for thread in (first, second):
        thread.join(10)
    assert monitor.snapshot is not None
    assert monitor.snapshot.end == at(1, 0)
