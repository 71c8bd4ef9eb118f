"""Measures how fast the projector reads a backlog, and how it grows with instances: `python -m bench.projector`.

A backlog is written to a topic with 12 partitions once. Then 1, 2 and 4 instances read it from its beginning into
empty tables, in turn in one run. The clock runs from when all have their partitions (the tables are emptied then, so
that all begin anew at the same moment) until the last event is counted; the figures are checked against what was made.
At last one of four is killed under a steady load, and it is seen how long its partitions stand still.

--against FOLDER: another checkout, whose projector is measured in turn with this one's. The ratios within a run are the
result: absolute numbers of two machines, or of two runs, are not comparable.
"""

import argparse
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import psutil
import sqlalchemy as sa
from confluent_kafka.admin import AdminClient

from bench.figures import Spread, median
from bench.projector import takeover
from bench.projector.backlog import PER_SECOND, events, put
from bench.projector.instances import Instance, cpu_s, running
from bench.publish import ROOT, running_stores, wait_until
from local_stack.services import BROKERS, POSTGRES
from local_stack.supervisord import processes
from producer.config import Settings
from producer.domain.events import Event
from producer.publishing import topics
from producer.publishing.kafka import admin_settings

PARTITIONS = 12
READ_WITHIN_S = 300
OURS, OTHER = "ours", "other"
# Positions come first, as in every batch: so nobody waits for the other.
EMPTY = sa.text(
    "TRUNCATE projection.positions, projection.timeline, projection.orders, projection.totals,"
    " projection.minutes, projection.items, projection.dead_letters"
)
COUNTED = sa.text("SELECT coalesce(sum(events), 0)::bigint FROM projection.positions")
POSITIONS = sa.text("SELECT partition, next_offset FROM projection.positions")
BY_STATUS = sa.text(
    "SELECT status, sum(orders)::bigint AS orders FROM projection.totals GROUP BY 1 HAVING sum(orders) <> 0"
)


@dataclass(frozen=True)
class Drained:
    """How fast a backlog was read, and the CPU that it took, in us for an event. cores: all of it, in use."""

    variant: str
    instances: int
    events_per_s: float
    projector_us: float
    postgres_us: float
    brokers_us: float

    @property
    def cores(self) -> float:
        return (self.projector_us + self.postgres_us + self.brokers_us) * self.events_per_s / 1e6


class Bench:
    """The topic with its backlog, and the tables it is read into."""

    def __init__(self, base: Settings, count: int) -> None:
        update = {"kafka_topic": f"bench-{uuid.uuid4().hex[:8]}", "kafka_topic_partitions": PARTITIONS}
        self._settings = base.model_copy(update=update)
        self._engine = sa.create_engine(base.sqlalchemy_url, poolclass=sa.NullPool)
        self._watcher = self._engine.execution_options(isolation_level="AUTOCOMMIT").connect()
        self._count, self._by_status = count, Counter[str]()
        topics.ensure(AdminClient(admin_settings(self._settings)), self._settings)

    def fill(self) -> None:
        """Write the backlog."""
        began = monotonic()
        put(self._settings, self._remembered(self._count))
        took = monotonic() - began
        print(f"{self._count} events in {PARTITIONS} partitions, written in {took:.0f} s", flush=True)

    def _remembered(self, count: int) -> Iterator[Event]:
        for event in events(count, datetime.now(UTC) - timedelta(seconds=count / PER_SECOND)):
            status = event.type.removeprefix("order.")
            if event.version > 1:
                self._by_status["placed" if status in ("confirmed", "cancelled") else PREVIOUS[status]] -= 1
            self._by_status[status] += 1
            yield event

    def drain(self, variant: str, folder: Path, number: int) -> Drained:
        """Read all of it with so many instances. Raises AssertionError when the figures are others than were made."""
        with running(number, folder, self._settings, PARTITIONS) as instances:
            self._watcher.execute(EMPTY)
            groups = {"projector": self._projectors(instances), **self._servers()}
            used, began = {name: cpu_s(each) for name, each in groups.items()}, monotonic()
            wait_until(lambda: self._counted() == self._count, READ_WITHIN_S, pause_s=0.05)
            took = monotonic() - began
            us = {name: (cpu_s(each) - used[name]) / self._count * 1e6 for name, each in groups.items()}
        found = {row.status: row.orders for row in self._watcher.execute(BY_STATUS)}
        assert found == dict(+self._by_status), f"{found} were counted, and {self._by_status} were made"
        return Drained(variant, number, self._count / took, us["projector"], us["postgres"], us["brokers"])

    def take_over(self, folder: Path, number: int) -> None:
        """Kill one of so many instances: once for good, and once to be started again at once."""
        with running(number, folder, self._settings, PARTITIONS) as instances:
            wait_until(lambda: self._counted() == self._count, READ_WITHIN_S, pause_s=0.05)
            with takeover.trickle(self._settings):
                wait_until(lambda: self._counted() > self._count, 30)
                for comes_back, what in ((True, "and started again"), (False, "for good")):
                    found = takeover.measure(instances[-1], self._positions, comes_back)
                    print(
                        f"one of {number} killed {what}: its {found.partitions} partitions stood still for"
                        f" {found.first_s:.1f} to {found.last_s:.1f} s",
                        flush=True,
                    )

    def _counted(self) -> int:
        return int(self._watcher.execute(COUNTED).scalar_one())

    def _positions(self) -> Mapping[int, int]:
        return {row.partition: row.next_offset for row in self._watcher.execute(POSITIONS)}

    def _projectors(self, instances: list[Instance]) -> list[psutil.Process]:
        return [process for each in instances for process in each.processes]

    def _servers(self) -> dict[str, list[psutil.Process]]:
        """Return the processes of PostgreSQL and of the brokers, of this stack and no other."""
        backend = self._watcher.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        found = processes.find(Path(psutil.Process(backend).cwd()).parent)
        return {"postgres": found[POSTGRES], "brokers": [each for name in BROKERS for each in found[name]]}


PREVIOUS = {"shipped": "confirmed", "delivered": "shipped"}


def table(results: list[Drained]) -> str:
    """Return the results, by variant and number of instances, against one instance of ours."""

    def of(variant: str, number: int, name: str) -> Spread:
        same = [each for each in results if (each.variant, each.instances) == (variant, number)]
        return median([float(getattr(each, name)) for each in same])

    base = of(OURS, min(each.instances for each in results if each.variant == OURS), "events_per_s").median
    lines = [
        "| | Instances | events/s | x | CPU of projectors, us/event | of PostgreSQL | of brokers | cores in use |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for variant, number in dict.fromkeys((each.variant, each.instances) for each in results):
        rate = of(variant, number, "events_per_s")
        others = " | ".join(
            str(of(variant, number, name)) for name in ("projector_us", "postgres_us", "brokers_us", "cores")
        )
        lines.append(f"| {variant} | {number} | {rate} | {rate.median / base:.2f} | {others} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m bench.projector",
    )
    parser.add_argument("--events", type=int, default=500_000, help="size of the backlog (%(default)s)")
    parser.add_argument("--instances", type=int, nargs="+", default=[1, 2, 4], help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--against", type=Path, help="another checkout, measured with one instance")
    parser.add_argument("--no-takeover", action="store_true", help="kill nobody at last")
    arguments = parser.parse_args()
    folder = ROOT / "projector_service"
    turns = [(OURS, folder, number) for number in arguments.instances]
    if arguments.against:
        turns.insert(0, (OTHER, arguments.against / "projector_service", arguments.instances[0]))
    with running_stores() as base:
        bench, results = Bench(base, arguments.events), list[Drained]()
        bench.fill()
        for _ in range(arguments.rounds):
            for variant, where, number in turns:
                results.append(bench.drain(variant, where, number))
                print(results[-1], flush=True)
        print(f"\n{os.cpu_count()} cores\n\n{table(results)}\n", flush=True)
        if not arguments.no_takeover:
            bench.take_over(folder, max(arguments.instances))


if __name__ == "__main__":
    main()
