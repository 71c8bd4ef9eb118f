"""How numbers and times are written on the pages."""

from datetime import UTC, datetime

from flask import Flask

from kafka_ui.cluster.picture import broker_name

UNKNOWN = "unknown"
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def init_app(app: Flask) -> None:
    """Make the formats known to the templates."""
    app.jinja_env.filters |= {
        "size": size, "number": number, "rate": rate, "moment": moment, "iso": iso, "broker": broker_name,
        "duration": duration,
    }  # fmt: skip
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def number(value: int | None) -> str:
    """Return 12,345, or "unknown" for None."""
    return UNKNOWN if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """Return bytes with a unit, such as 1.5 MiB, or "unknown" for None or a negative number."""
    if value is None or value < 0:
        return UNKNOWN
    amount, unit = float(value), 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f} {UNITS[unit]}" if unit else f"{value} B"


def rate(value: float | None) -> str:
    """Return messages per second, or … for None: the second look tells."""
    return "…" if value is None else f"{value:,.1f}" if 0 < value < 10 else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Return a duration such as "2 min", or "unknown" for None."""
    if seconds is None:
        return UNKNOWN
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, seconds):.0f} s"


def moment(timestamp_ms: int) -> str:
    """Return a time in UTC for people, to the millisecond, or "unknown"."""
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def iso(timestamp_ms: int) -> str:
    """Return a time for programs, "" where there is none."""
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""
