"""The backlog is measured beside the requests: asking for it never waits, and an old answer is none."""

import threading

import pytest
from sqlalchemy.exc import OperationalError

from producer.backlog_monitor import INTERVAL_S, MAX_AGE_S, PAUSE_FACTOR, BacklogMonitor
from producer.domain.backlog import Backlog
from tests.clock import FakeClock

DEADLINE_S = 10.0


class FakeOutbox:
    """What is measured; away: the database does not answer; takes_s: how long a measurement lasts."""

    def __init__(self, clock: FakeClock):
        self.clock, self.rows, self.measured, self.away, self.takes_s = clock, 0, 0, False, 0.0

    def measure(self) -> Backlog:
        self.measured += 1
        self.clock.now += self.takes_s
        if self.away:
            raise OperationalError("SELECT", {}, Exception("away"))
        return Backlog(self.rows, None, 0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outbox(clock: FakeClock) -> FakeOutbox:
    return FakeOutbox(clock)


@pytest.fixture
def monitor(outbox: FakeOutbox, clock: FakeClock) -> BacklogMonitor:
    return BacklogMonitor(outbox.measure, clock)


def test_backlog_is_unknown_before_the_first_measurement(monitor: BacklogMonitor) -> None:
    assert monitor.last() is None


def test_asking_for_the_backlog_measures_nothing(monitor: BacklogMonitor, outbox: FakeOutbox) -> None:
    outbox.rows = 7
    assert monitor.measure_once() == INTERVAL_S
    assert [monitor.last(), monitor.last()] == [Backlog(7, None, 0)] * 2
    assert outbox.measured == 1


def test_old_measurement_is_unknown(monitor: BacklogMonitor, outbox: FakeOutbox, clock: FakeClock) -> None:
    monitor.measure_once()
    outbox.away = True
    clock.now += MAX_AGE_S - 1
    assert monitor.measure_once() == INTERVAL_S
    assert monitor.last() == Backlog(0, None, 0)  # one failure is no reason to refuse orders
    clock.now += 1
    assert monitor.last() is None
    outbox.away = False
    monitor.measure_once()
    assert monitor.last() == Backlog(0, None, 0)


def test_age_of_a_measurement_counts_from_its_beginning(
    monitor: BacklogMonitor, outbox: FakeOutbox, clock: FakeClock
) -> None:
    outbox.takes_s = MAX_AGE_S
    monitor.measure_once()
    assert monitor.last() is None


@pytest.mark.parametrize("takes_s", [0.3, 0.5, 1.5])
def test_measuring_takes_a_fifth_of_the_time_at_most(
    monitor: BacklogMonitor, outbox: FakeOutbox, takes_s: float
) -> None:
    outbox.takes_s = takes_s
    assert monitor.measure_once() == pytest.approx(PAUSE_FACTOR * takes_s)


@pytest.mark.parametrize("takes_s", [0.0, 0.1, 1.0, 2.0, 3.0, 4.0, 4.9])
def test_slow_measurement_is_known_until_the_next_one_has_ended(
    monitor: BacklogMonitor, outbox: FakeOutbox, clock: FakeClock, takes_s: float
) -> None:
    """Or orders would be refused in between, although nothing is wrong."""
    outbox.takes_s = takes_s
    pause_s = monitor.measure_once()
    clock.now += pause_s + takes_s
    assert monitor.last() is not None


@pytest.mark.parametrize("thaws_at", [thaws_at / 10 for thaws_at in range(1, 260)])
def test_backlog_is_known_as_soon_as_the_database_has_thawed(thaws_at: float) -> None:
    """Or orders would be refused for seconds after it is back, or seconds later (found by tests/chaos)."""
    clock = FakeClock()
    end = clock.now + thaws_at
    unknown_at = list[float]()

    def measure() -> Backlog:
        waited_s = min(max(0.01, end - clock.now), DEADLINE_S)
        clock.now += waited_s
        if clock.now > end + 0.05 and thawed.last() is None:
            unknown_at.append(clock.now - end)
        if clock.now < end or waited_s == DEADLINE_S:
            raise OperationalError("SELECT", {}, Exception(f"no answer within {DEADLINE_S} s"))
        return Backlog(0, None, 0)

    thawed = BacklogMonitor(measure, clock)
    while clock.now < end + 2 * MAX_AGE_S:
        pause_s = thawed.measure_once()
        clock.now += pause_s
    assert unknown_at == []


def test_nobody_waits_for_a_measurement_that_hangs() -> None:
    begun, release = threading.Event(), threading.Event()

    def hang() -> Backlog:
        begun.set()
        release.wait(5)
        return Backlog(0, None, 0)

    monitor = BacklogMonitor(hang)
    monitor.start(first_s=0)
    try:
        assert begun.wait(5)
        assert monitor() is None
    finally:
        release.set()
        monitor.close(5)


def test_start_waits_for_the_first_measurement() -> None:
    """Or the first order after a start would be refused."""
    monitor = BacklogMonitor(lambda: Backlog(3, None, 0))
    monitor.start(first_s=5)
    assert monitor() == Backlog(3, None, 0)
    monitor.close(5)


def test_backlog_is_measured_when_asked_for_before_the_start(
    monitor: BacklogMonitor, outbox: FakeOutbox
) -> None:
    outbox.rows = 2
    assert monitor() == Backlog(2, None, 0)
