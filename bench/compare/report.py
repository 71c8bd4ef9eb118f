"""The tables and the plot of docs/compare.md."""

import os
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from textwrap import fill

from matplotlib.figure import Figure as Canvas

from bench.compare.scenarios import Result
from bench.figures import NAMES, Figure, Spread, draw_bars
from bench.figures import median as spread

BEGIN, END = "<!-- begin: make compare -->", "<!-- end: make compare -->"
NAME_WIDTH = 18
GROUPS = ("app", "PostgreSQL", "brokers")
Rounds = Sequence[Result]  # of one way under one scenario


def by_trial(results: Sequence[Result]) -> list[Rounds]:
    """Return the rounds of each scenario and way, in the order of their first."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        found.setdefault((result.scenario, result.way), []).append(result)
    order = list(dict.fromkeys(result.scenario for result in results))
    return [found[key] for key in sorted(found, key=lambda key: order.index(key[0]))]


def tables(results: Sequence[Result]) -> str:
    """Return what was lost, and what it took, as two tables."""
    trials = by_trial(results)
    lines = [
        "| | Way | acknowledged | refused | unknown | **lost** | lost, unanswered | never committed | repeated "
        "| out of order |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_account(rounds) for rounds in trials),
        "",
        "| | Way | p50, ms | p99, ms | max, ms | CPU of the way, ms | of PostgreSQL | of the brokers "
        "| memory of the way, MiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *(_cost(rounds) for rounds in trials),
    ]
    return "\n".join(lines)


def _head(rounds: Rounds) -> str:
    return f"| {rounds[0].scenario} | {NAMES[rounds[0].way]} |"


def _account(rounds: Rounds) -> str:
    outcomes = [result.outcome for result in rounds]
    names = (
        "acknowledged", "refused", "unknown", "lost", "lost_unanswered", "phantoms", "repeats", "disorder",
    )  # fmt: skip
    sums = [sum(getattr(outcome, name) for outcome in outcomes) for name in names]
    cells = [f"{count:,}" for count in sums]
    cells[3] = f"**{cells[3]}**"
    return f"{_head(rounds)} {' | '.join(cells)} |"


def _cost(rounds: Rounds) -> str:
    def middle(value: Callable[[Result], float]) -> float:
        return median([value(result) for result in rounds])

    latencies = [
        middle(lambda result: result.outcome.p50_ms),
        middle(lambda result: result.outcome.p99_ms),
        middle(lambda result: result.outcome.max_ms),
    ]
    cells = [f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in latencies]
    cells += [f"{middle(lambda result, group=group: result.cpu_ms[group]):.2f}" for group in GROUPS]  # type: ignore[misc]
    cells.append(f"{middle(lambda result: result.memory_mib['app']):.0f}")
    return f"{_head(rounds)} {' | '.join(cells)} |"


def machine(rounds: int) -> str:
    """Return when and on what this was measured."""
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    return (
        f"Measured on {when}: {rounds} round{'s' * (rounds > 1)}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release().split('-')[0]}, Python {platform.python_version()}."
    )


def write(page: Path, text: str) -> None:
    """Put the text between the two comments of the page. Raises ValueError when they are not there."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the tables.")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw the latency and what was lost, by scenario."""
    canvas = Canvas(figsize=(13, 9), layout="constrained")
    upper, lower = canvas.subplots(2)
    trials = by_trial(results)

    def bars(value: Callable[[Result], float]) -> list[Figure]:
        return [
            Figure(
                fill(rounds[0].scenario, NAME_WIDTH), rounds[0].way, spread([value(each) for each in rounds])
            )
            for rounds in trials
        ]

    draw_bars(upper, bars(lambda result: result.outcome.p99_ms), "Commit to Kafka, p99 in ms", "log")
    lost = [
        Figure(each.group, each.variant, Spread(sum_, sum_, sum_))
        for each, sum_ in zip(bars(_missing), _sums(trials, _missing), strict=True)
    ]
    draw_bars(lower, lost, "Stored changes that never reached Kafka")
    upper.legend(frameon=False)
    for axes in (upper, lower):
        axes.tick_params("x", labelsize=8)
    canvas.savefig(path, dpi=130)


def _missing(result: Result) -> int:
    return result.outcome.lost + result.outcome.lost_unanswered


def _sums(trials: Sequence[Rounds], value: Callable[[Result], int]) -> list[float]:
    return [float(sum(value(result) for result in rounds)) for rounds in trials]
