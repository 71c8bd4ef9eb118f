"""Which goals a run meets."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.fanout.ceiling import LATE_MS
from bench.fanout.rates import Measured
from bench.fanout.results import Results
from bench.figures import Spread, median

CONTAINER_MIB = 512  # mem_limit of the consumer in docker-compose.yml
CPU_SHARE = 0.75
RATE_TIMES = 3.0
MEMORY_SHARE = 0.15
GREETING_MS = 100.0


@dataclass(frozen=True)
class Goal:
    """What was wanted, what was found, and whether that is enough."""

    wanted: str
    found: str
    is_met: bool

    def __str__(self) -> str:
        return f"| {self.wanted} | {self.found} | {'met' if self.is_met else '**missed**'} |"


def goals(results: Results) -> list[Goal]:
    """Judge what was measured; what was not is left out."""
    return [
        *_cost_goals(results),
        *_ceiling_goal(results),
        *_memory_goals(results),
        *_greeting_goal(results),
        *_laggards_goal(results),
    ]


def ratio(rounds: dict[str, list[Measured]], other: str = "nchan") -> Spread | None:
    """Return our CPU for an event as a share of another's, round by round."""
    pairs = list(zip(rounds.get("ours", []), rounds.get(other, []), strict=False))
    return median([ours.cpu_us / others.cpu_us for ours, others in pairs]) if pairs else None


def _cost_goals(results: Results) -> Iterator[Goal]:
    for load, rounds in results.rates.items():
        if share := ratio(rounds):
            yield Goal(f"{load}: ≤ {CPU_SHARE} x nchan's CPU", f"{share} x", share.median <= CPU_SHARE)


def _ceiling_goal(results: Results) -> Iterator[Goal]:
    if {"ours", "nchan"} <= results.ceiling.keys() and results.ceiling["nchan"].rate:
        times = results.ceiling["ours"].rate / results.ceiling["nchan"].rate
        yield Goal(f"≥ {RATE_TIMES:.0f} x nchan's highest rate", f"{times:.1f} x", times >= RATE_TIMES)


def _memory_goals(results: Results) -> Iterator[Goal]:
    if {"ours", "nchan"} <= results.memory_kib.keys():
        for count, kib in results.memory_kib["ours"].items():
            share = kib / results.memory_kib["nchan"][count]
            yield Goal(
                f"{count:,} viewers: ≤ {MEMORY_SHARE} x nchan's memory",
                f"{share:.2f} x",
                share <= MEMORY_SHARE,
            )


def _greeting_goal(results: Results) -> Iterator[Goal]:
    if found := results.newcomers.get("ours"):
        seen = found.seen
        yield Goal(
            f"a newcomer is greeted within {GREETING_MS:.0f} ms, and the crowd is served",
            f"p99 {found.p99_ms:.1f} ms; the crowd's events p99 {seen.p99_ms:,.0f} ms, {seen.behind:,} too late",
            found.p99_ms <= GREETING_MS and seen.is_whole and seen.p99_ms <= LATE_MS,
        )


def _laggards_goal(results: Results) -> Iterator[Goal]:
    if found := results.laggards.get("ours"):
        taken = found.peak_mib + found.sockets_mib
        yield Goal(
            f"laggards within {CONTAINER_MIB} MiB",
            f"{found.peak_mib:.0f} MiB and at most {found.sockets_mib:.0f} in the kernel;"
            f" {found.seen.behind:,} events not caught up with",
            taken <= CONTAINER_MIB,
        )
