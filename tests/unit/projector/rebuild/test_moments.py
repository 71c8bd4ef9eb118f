from datetime import UTC, datetime

import pytest

from projector.rebuild.moments import NoTime, read_span

NOW = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)


def at(hour: int, minute: int = 0, day: int = 27) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("begin", "end", "since", "until"),
    [
        ("14:05", None, at(14, 5), NOW),
        ("14:30", None, NOW, NOW),
        ("14:31", None, at(14, 31, day=26), NOW),  # not yet today
        ("14:05", "14:10", at(14, 5), at(14, 10)),
        ("23:50", "00:10", at(23, 50, day=26), at(0, 10)),
        ("14:05:30", None, datetime(2026, 11, 27, 14, 5, 30, tzinfo=UTC), NOW),
        ("15:05+01:00", None, at(14, 5), NOW),
        ("11:05-03:00", None, at(14, 5), NOW),
        ("2026-11-22T14:05:00Z", None, at(14, 5, day=22), NOW),
        ("2026-11-22T14:05", "2026-11-22T16:00+01:00", at(14, 5, day=22), at(15, day=22)),
        ("2026-11-22T14:05Z", "14:01", at(14, 5, day=22), at(14, 1, day=23)),
        ("2026-11-22", None, at(0, day=22), NOW),
    ],
)
def test_span_is_read(begin: str, end: str | None, since: datetime, until: datetime) -> None:
    assert read_span(begin, end, NOW) == (since, until)


@pytest.mark.parametrize(
    ("begin", "end", "told"),
    [
        ("", None, "no time"),
        ("yesterday", None, "no time"),
        ("25:00", None, "no time"),
        ("2026-11-31T00:00Z", None, "no time"),
        ("14:05", "", "no time"),
        ("0001-01-01T00:00+05:00", None, "no time"),
        ("2026-11-28T00:00Z", None, "in the future"),
        ("14:05", "14:31", "in the future"),
        ("14:05", "14:05", "in the future"),  # that is tomorrow's
        ("2026-11-22T14:05Z", "2026-11-22T14:05Z", "is not after"),
    ],
)
def test_what_is_no_span_is_refused(begin: str, end: str | None, told: str) -> None:
    with pytest.raises(NoTime, match=told):
        read_span(begin, end, NOW)
