"""Times as they are typed: `14:05`, or whole ones such as `2026-11-22T14:05:00Z`. Without an offset they are UTC."""

import re
from datetime import UTC, datetime, time, timedelta

_CLOCK = re.compile(r"[0-9]{1,2}:")
_DAY = timedelta(days=1)


class NoTime(ValueError):
    """What was typed is no time that a span can begin or end at."""


def read_span(begin: str, end: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the span that is meant. Raises NoTime.

    A time of the day is the last one to begin at, and the first one behind that to end at. Without an end, it is now.
    """
    first = _moment(begin)
    since = _last(first, now) if isinstance(first, time) else first
    if since > now:
        raise NoTime(f"{begin} is in the future.")
    if end is None:
        return since, now
    last = _moment(end)
    until = _last(last, since) + _DAY if isinstance(last, time) else last
    if until > now:
        raise NoTime(f"{end} is in the future.")
    if until <= since:
        raise NoTime(f"{end} is not after {begin}.")
    return since, until


def _moment(text: str) -> time | datetime:
    try:
        moment = (time if _CLOCK.match(text) else datetime).fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC) if isinstance(aware, datetime) else aware
    except (ValueError, OverflowError) as error:  # the second in the years 1 and 9999
        raise NoTime(f"{text} is no time such as 14:05 or 2026-11-22T14:05:00Z.") from error


def _last(clock: time, before: datetime) -> datetime:
    """Return the last moment up to this one when the clock shows this time."""
    found = datetime.combine(before.astimezone(clock.tzinfo).date(), clock)
    return (found if found <= before else found - _DAY).astimezone(UTC)
