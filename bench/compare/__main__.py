"""Compares ways to get a committed order to Kafka: `python -m bench.compare`, in turn in one run on one machine.

    naive     the demo's way: commit in the model, produce and flush in the request (bench/naive_shop.py)
    direct    our default: the producer publishes, the relay publishes the rest
    relay     the relay alone publishes (PUBLISHER=relay)
    debezium  Debezium publishes from PostgreSQL's log, the relay what is past due (PUBLISHER=debezium)

Each is played all scenarios, quiet and with a fault, on a native stack of its own. The customers' account of what was
acknowledged, the database's of what was committed and the topic's are compared. docs/compare.md has the method.
"""

import argparse
import dataclasses
import json
import os
import signal
import sys
from pathlib import Path

from bench.compare import report
from bench.compare.scenarios import SCENARIOS, Pace, Result, play, warm_up
from bench.compare.ways import WAYS, running

QUICK = Pace(seconds=6, burst=1000, away_s=5)


def main() -> None:
    """Play the scenarios that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m bench.compare",
    )
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="(all)")
    parser.add_argument(
        "--scenarios", type=int, nargs="+", default=range(len(SCENARIOS)), help="which, from 0 (all)"
    )
    parser.add_argument("--rounds", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="shorter loads, to see that everything works")
    parser.add_argument("--page", type=Path, help="the page whose tables are written anew")
    parser.add_argument("--plot", type=Path, help="a PNG of the latencies and of what was lost")
    parser.add_argument("--results", type=Path, help="all figures as JSON")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended by SIGTERM"))  # the stack is stopped, too
    results: list[Result] = []
    for _ in range(arguments.rounds):
        for name in arguments.ways:
            with running(name) as way:
                warm_up(way)
                for number in arguments.scenarios:
                    results.append(play(SCENARIOS[number], way, QUICK if arguments.quick else Pace()))
                    print(_line(results[-1]), flush=True)
    text = f"{report.machine(arguments.rounds)}\n\n{report.tables(results)}"
    print(f"\n{text}")
    if arguments.results:
        arguments.results.write_text(json.dumps([_figures(result) for result in results], indent=1))
    if arguments.plot:
        report.plot(results, arguments.plot)
    if arguments.page:
        report.write(arguments.page, text + _picture(arguments.page, arguments.plot))


def _picture(page: Path, plot: Path | None) -> str:
    if plot is None:
        return ""
    place = os.path.relpath(plot, page.parent)
    return f"\n\n![Latency from commit to Kafka, and what was lost, of each way under each fault]({place})"


def _figures(result: Result) -> dict[str, object]:
    """Return everything but the single latencies."""
    figures = dataclasses.asdict(result)
    outcome = figures["outcome"]
    del outcome["latencies_ms"]
    times = result.outcome
    return figures | {"p50_ms": times.p50_ms, "p99_ms": times.p99_ms, "max_ms": times.max_ms}


def _line(result: Result) -> str:
    outcome = result.outcome
    return (
        f"{result.way:9} {result.scenario:30} acknowledged {outcome.acknowledged:6}, lost {outcome.lost}, "
        f"repeats {outcome.repeats}, out of order {outcome.disorder}, p99 {outcome.p99_ms:.0f} ms"
    )


if __name__ == "__main__":
    main()
