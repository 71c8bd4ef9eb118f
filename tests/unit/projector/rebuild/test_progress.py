import pytest

from projector.rebuild.progress import EVERY_S, Bar, Distance, Lines, shown_on
from tests.clock import FakeClock


def test_distance_is_counted_from_where_each_partition_began() -> None:
    distance = Distance()
    assert distance.of({0: 100}, {0: 150}) == (0, 50)
    assert distance.of({0: 110, 1: 5}, {0: 150, 1: 10}) == (10, 55)
    assert distance.of({0: 160, 1: 10}, {0: 150, 1: 10}) == (65, 65)


def test_positions_that_begin_anew_are_no_distance_below_zero() -> None:
    distance = Distance()
    distance.of({0: 100}, {0: 150})
    assert distance.of({0: 0}, {0: 30}) == (0, 30)


def test_lines_come_now_and_then() -> None:
    clock, told = FakeClock(), list[str]()
    lines = Lines(told.append, clock)
    lines.show(1, 12000)
    assert told == []
    clock.now += EVERY_S
    lines.show(1234, 12000)
    lines.show(1235, 12000)
    assert told == ["reading: 1,234 of 12,000 messages"]
    lines.end()
    assert len(told) == 1


def test_bar_follows_what_there_is_to_read(capfd: pytest.CaptureFixture[str]) -> None:
    """pytest's stderr is no terminal, where click draws the label only."""
    bar = Bar()
    for done, total in ((0, 10), (5, 20), (3, 20), (20, 20)):
        bar.show(done, total)
    bar.end()
    assert "reading" in capfd.readouterr().err


def test_a_terminal_gets_a_bar_and_all_else_lines() -> None:
    assert isinstance(shown_on(True, print, FakeClock()), Bar)
    assert isinstance(shown_on(False, print, FakeClock()), Lines)
