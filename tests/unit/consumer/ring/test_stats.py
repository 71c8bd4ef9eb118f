from datetime import UTC, datetime, timedelta

from consumer.ring.stats import OUTDATED_S, LatestStats, Stats
from tests.clock import FakeClock

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def stats(seconds: float, payload: bytes = b"{}") -> Stats:
    return Stats(NOON + timedelta(seconds=seconds), payload)


def test_before_the_first_figures_there_are_none() -> None:
    assert LatestStats(FakeClock()).get() == (0, None)


def test_older_figures_never_replace_newer_ones() -> None:
    latest, changes = LatestStats(FakeClock()), []
    latest.on_change(lambda: changes.append(latest.number))
    assert latest.put(stats(5))
    assert not latest.put(stats(4.999))
    assert latest.get() == (1, stats(5))
    assert latest.put(stats(5, b"the same moment"))
    assert latest.put(stats(6))
    assert latest.get() == (3, stats(6))
    assert changes == [1, 2, 3]


def test_where_only_older_ones_come_for_long_the_clock_was_set_back() -> None:
    clock = FakeClock()
    latest = LatestStats(clock)
    latest.put(stats(3600))
    clock.now += OUTDATED_S - 0.1
    assert not latest.put(stats(30))
    clock.now += 0.1
    assert latest.put(stats(31))
    assert latest.put(stats(32))
    assert not latest.put(stats(31))
