"""From a server to its viewers: `python -m bench.fanout`, ours beside what else people use, in turn in one run.

    ours        our consumer under gunicorn, one thread that writes to all sockets
    generator   our consumer with FANOUT=generator: a thread for each of at most 100 viewers
    gevent      what people write: a queue and a greenlet for each viewer (bench/fanout/naive.py)
    nchan       nginx with nchan, in C

Each server has one worker process and gets the same events, without Kafka: ours on a topic in memory
(bench/fanout/ours.py), nchan by POST. The viewers are connections of one process (viewers.c), all of which check that
no event is missing. The ratios within a run are the result.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.fanout import tables
from bench.fanout.ceiling import climb
from bench.fanout.goals import goals, ratio
from bench.fanout.laggards import lag
from bench.fanout.memory import weigh
from bench.fanout.newcomers import welcome
from bench.fanout.plot import plot
from bench.fanout.rates import Load, Measured, measure
from bench.fanout.reconnect import reconnect
from bench.fanout.results import Results
from bench.fanout.servers import GENERATOR_STREAMS, VARIANTS, Variant
from bench.fanout.tables import print_head, print_row
from bench.fanout.viewers import NO_COMPILER, compile_viewers

PARTS = ("rates", "ceiling", "memory", "newcomers", "reconnect", "laggards")
LAG_S = 10.0

Found = TypeVar("Found")


@dataclass(frozen=True)
class Extent:
    """How much is measured. growth: the factor from one step to the next on the way to the highest rate."""

    rounds: int = 3
    seconds: float = 5.0
    growth: float = 1.5
    memory: Sequence[int] = (1000, 10_000)
    crowd: int = 5000
    crowd_rate: float = 500
    laggards: int = 2000


QUICK = Extent(rounds=1, seconds=2.0, growth=2.0, memory=(1000,), crowd=1000, laggards=500)


def measure_rates(
    variants: Sequence[Variant], loads: Sequence[Load], extent: Extent, program: Path
) -> Results:
    """Measure each load, round by round, the variants in turn."""
    results = Results()
    print_head(tables.RATES)
    for load in loads:
        rounds: dict[str, list[Measured]] = {each.name: [] for each in variants if load.viewers <= each.most}
        for _ in range(extent.rounds):
            for variant in variants:
                if variant.name in rounds:
                    found = _try(variant, partial(measure, variant, load, extent.seconds, program))
                    rounds[variant.name] += [found] if found else []
        for name, found_rounds in rounds.items():
            if found_rounds:
                print_row(str(load), name, *tables.rates_row(found_rounds))
        if share := ratio(rounds):
            print_row(str(load), "ours / nchan", f"{share} x", "", "", "", "")
        results.rates[load] = rounds
    return results


def measure_each(
    columns: Sequence[str],
    variants: Sequence[Variant],
    do: Callable[[Variant], Found],
    cells: Callable[[Found], list[str]],
) -> dict[str, Found]:
    """Measure the variants in turn, once."""
    print_head(columns)
    results: dict[str, Found] = {}
    for variant in variants:
        if (found := _try(variant, partial(do, variant))) is not None:
            results[variant.name] = found
            print_row(variant.name, *cells(found))
    return results


def _try(variant: Variant, do: Callable[[], Found]) -> Found | None:
    """Return what was found, or nothing when the server was beyond its means."""
    try:
        return do()
    except (RuntimeError, TimeoutError) as error:
        print(f"{variant.name}: {error}", file=sys.stderr, flush=True)
        return None


def measure_parts(
    parts: Sequence[str], variants: Sequence[Variant], loads: Sequence[Load], extent: Extent, program: Path
) -> Results:
    """Measure the parts one after the other; the generators only where a hundred viewers are enough."""
    results = measure_rates(variants, loads, extent, program) if "rates" in parts else Results()
    able = [variant for variant in variants if variant.most > GENERATOR_STREAMS]
    able_for_crowds = [variant for variant in variants if variant.takes_a_crowd]
    crowd = (extent.crowd, extent.crowd_rate, program)
    if "ceiling" in parts:
        climb_up = partial(
            climb, viewers=loads[-1].viewers, seconds=2.0, growth=extent.growth, program=program
        )
        results.ceiling = measure_each(tables.CEILING, able, climb_up, tables.ceiling_row)
    if "memory" in parts:
        columns = ("Server", *(f"KiB for each of {count:,}" for count in extent.memory))
        weigh_all = partial(weigh, counts=extent.memory, program=program)
        results.memory_kib = measure_each(columns, able, weigh_all, tables.memory_row)
    if "newcomers" in parts:
        results.newcomers = measure_each(
            tables.NEWCOMERS, able_for_crowds, lambda variant: welcome(variant, *crowd), tables.newcomers_row
        )
    if "reconnect" in parts:
        results.reconnect = measure_each(
            tables.RECONNECT,
            able_for_crowds,
            lambda variant: reconnect(variant, *crowd),
            tables.reconnect_row,
        )
    if "laggards" in parts:
        lagging = (extent.laggards, extent.crowd_rate, LAG_S, program)
        results.laggards = measure_each(
            tables.LAGGARDS, able_for_crowds, lambda variant: lag(variant, *lagging), tables.laggards_row
        )
    return results


def main() -> None:
    """Measure, print the tables and the goals, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m bench.fanout",
    )
    parser.add_argument("--quick", action="store_true", help="one round with fewer viewers, about 3 minutes")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="(%(default)s)")
    parser.add_argument("--variants", nargs="+", choices=[each.name for each in VARIANTS], help="(all)")
    parser.add_argument("--clients", type=int, default=1000, help="viewers at each rate (%(default)s)")
    parser.add_argument(
        "--rates", nargs="+", default=["20", "100", "1000/50"], help="events/s, /50 for batches (%(default)s)"
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="length of one measurement of a rate")
    parser.add_argument("--crowd", type=int, help="viewers of the newcomers' and the reconnect's part")
    parser.add_argument("--plot", type=Path, help="a PNG of the cost, the highest rates and the memory")
    arguments = parser.parse_args()
    given = {name: vars(arguments)[name] for name in ("rounds", "seconds", "crowd") if vars(arguments)[name]}
    extent = replace(QUICK if arguments.quick else Extent(), **given)
    loads = [
        Load(min(GENERATOR_STREAMS, arguments.clients), 100),
        *(Load.parse(arguments.clients, text) for text in arguments.rates),
    ]
    wanted = [each for each in VARIANTS if not arguments.variants or each.name in arguments.variants]
    for variant in wanted:
        if variant.missing:
            print(f"{variant.name} is left out: {variant.missing}", file=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended by SIGTERM"))  # the servers are stopped, too
    with tempfile.TemporaryDirectory() as folder:
        if (program := compile_viewers(Path(folder))) is None:
            sys.exit(NO_COMPILER)
        present = [variant for variant in wanted if not variant.missing]
        results = measure_parts(arguments.parts, present, loads, extent, program)
    print_head(("Goal", "Found", ""))
    for goal in goals(results):
        print(goal)
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
