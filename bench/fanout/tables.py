"""The tables of a run, printed row by row as they are measured."""

from collections.abc import Sequence

from bench.fanout.ceiling import Ceiling
from bench.fanout.laggards import Lagged
from bench.fanout.newcomers import Welcomed
from bench.fanout.rates import Measured
from bench.fanout.reconnect import Reconnected
from bench.figures import median

RATES = (
    "Viewers x events",
    "Server",
    "CPU, us/event",
    "p50, ms",
    "p99, ms",
    "events/s taken",
    "not delivered",
)
CEILING = ("Server", "highest rate, events/s", "delivered/s")
NEWCOMERS = (
    "Server", "greeted p50, ms", "p99", "events p50, ms", "p99", "events/s taken", "missing", "too late",
)  # fmt: skip
RECONNECT = ("Server", "back", "p50, ms", "last, ms", "events", "missing", "too late", "repeats")
LAGGARDS = ("Server", "peak PSS, MiB", "kernel, MiB", "missing", "too late")


def rates_row(rounds: Sequence[Measured]) -> list[str]:
    """Return the cells of one load."""
    names = ("cpu_us", "p50_ms", "p99_ms", "published_per_s", "lost")
    return [str(median([getattr(each, name) for each in rounds])) for name in names]


def ceiling_row(found: Ceiling) -> list[str]:
    """Return the cells of the highest rate."""
    return _whole_numbers(found.rate, found.delivered_per_s)


def memory_row(found: dict[int, float]) -> list[str]:
    """Return the cells of the memory."""
    return [f"{kib:.2f}" for kib in found.values()]


def newcomers_row(found: Welcomed) -> list[str]:
    """Return the cells of the newcomers."""
    seen = found.seen
    times = (found.p50_ms, found.p99_ms, seen.p50_ms, seen.p99_ms)
    return [*(f"{ms:.1f}" for ms in times), *_whole_numbers(found.published_per_s, seen.missing, seen.behind)]


def reconnect_row(found: Reconnected) -> list[str]:
    """Return the cells of the reconnect."""
    back, seen = found.greeted, found.seen
    return [
        f"{back.greeted:,}", f"{back.p50_ms:,.0f}", f"{back.max_ms:,.0f}",
        f"{found.published:,}", *_whole_numbers(seen.missing, seen.behind, seen.repeats),
    ]  # fmt: skip


def laggards_row(found: Lagged) -> list[str]:
    """Return the cells of the laggards."""
    seen = found.seen
    return [*_whole_numbers(found.peak_mib, found.sockets_mib, seen.missing, seen.behind)]


def _whole_numbers(*numbers: float) -> list[str]:
    return [f"{number:,.0f}" for number in numbers]


def print_head(columns: Sequence[str]) -> None:
    """Print the head of a table."""
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)


def print_row(*cells: str) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)
