"""python -m bench.zookeeper: Kafka with KRaft and Kafka with ZooKeeper, side by side and in turn in one run.

Each round starts the brokers, with ZooKeeper the ensemble as well, in an empty folder, stops and starts them again, and
looks at what they take at rest. Then 200 messages a second are sent (acks=all, idempotent) while one process after the
other is killed (kill -9) and started again by its supervisor; all is whole before the next one.

    start           until all are members of the cluster: first with empty folders, then again
    memory, CPU     of all processes at rest: PSS, and the share of one core over ten seconds
    leader          a broker that leads partitions and is not the controller is killed: until others lead them
    controller      is killed, and leads partitions as well: until another broker is it, and others lead those
    each of these   the longest delivery meanwhile, and until all is as before
"""

import argparse
import math
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.failover import WHOLE_WITHIN_S, Cluster, Load, seconds_until
from bench.figures import median
from local_stack import addresses
from local_stack.paths import Paths
from local_stack.services import BROKERS, ZOOKEEPERS
from local_stack.supervisord import processes
from tests.eventually import eventually
from tests.stack import Stack
from tests.zookeeper_stack import ZooKeeperStack

BEGIN, END = "<!-- begin: bench.zookeeper -->", "<!-- end: bench.zookeeper -->"
KINDS: Mapping[str, type[Stack]] = {"KRaft": Stack, "ZooKeeper": ZooKeeperStack}
FAILOVER_WITHIN_S = 30
SETTLE_S, IDLE_S, STEADY_S = 5, 10, 3

Figures = dict[str, float]


def main() -> None:
    """Measure as often as the command line says, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m bench.zookeeper",
    )
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--page", type=Path, help="the page whose table is written anew")
    arguments = parser.parse_args()
    rounds: dict[str, list[Figures]] = {name: [] for name in KINDS}
    for number in range(arguments.rounds):
        for name, kind in KINDS.items():
            rounds[name].append(measure(kind))
            print(f"round {number + 1}, {name}: {_line(rounds[name][-1])}", flush=True)
    text = table(rounds, f"{arguments.rounds} rounds; {machine()}")
    print(f"\n{text}")
    if arguments.page:
        write(arguments.page, text)


def measure(kind: type[Stack]) -> Figures:
    """Return the figures of one round."""
    with running(kind) as (stack, figures):
        found = addresses.load(Paths(stack.home)).brokers
        numbered = {number: found[name] for number, name in enumerate(BROKERS, 1)}
        cluster = Cluster(numbered, with_kraft=kind is Stack)
        cluster.create_topic()
        figures |= at_rest(stack)
        with Load(cluster.bootstrap).running() as load:
            wait(STEADY_S)
            figures |= kill_leader(stack, cluster, load)
            figures |= kill_controller(stack, cluster, load)
            if kind is ZooKeeperStack:
                figures |= kill_ensemble_leader(stack, cluster, load)
        figures["messages that were not delivered"] = float(load.failed)
        return figures


@contextmanager
def running(kind: type[Stack]) -> Iterator[tuple[Stack, Figures]]:
    """Start the brokers, and what keeps their metadata, twice; kill everything afterwards."""
    with tempfile.TemporaryDirectory(prefix="order-stream-") as folder:
        stack = kind(Path(folder))
        names = [*sorted(stack.optional), *BROKERS]
        try:
            figures = {"first start, s": seconds(lambda: stack.run("start", *names))}
            stack.run("stop")
            figures["start again, s"] = seconds(lambda: stack.run("start", *names))
            yield stack, figures
        finally:
            stack._kill_all()
            stack.run("stop")


def at_rest(stack: Stack) -> Figures:
    """Return what the processes take while nothing is sent."""
    wait(SETTLE_S)
    members = processes.find(stack.home)
    brokers = [process for name in BROKERS for process in members[name]]
    ensemble = [process for name in ZOOKEEPERS for process in members.get(name, [])]
    before = cpu_s([*brokers, *ensemble])
    wait(IDLE_S)
    used = cpu_s([*brokers, *ensemble]) - before
    return {
        "memory of three brokers, MiB": pss_mib(brokers),
        "memory of three ZooKeepers, MiB": pss_mib(ensemble),
        "CPU at rest, % of a core": 100 * used / IDLE_S,
    }


def kill_leader(stack: Stack, cluster: Cluster, load: Load) -> Figures:
    """Kill a broker that leads partitions and is not the controller."""
    victim = next(
        number for number in cluster.addresses if number != eventually(cluster.controller, within=20)
    )
    began = time.monotonic()
    stack.kill(BROKERS[victim - 1])
    led = seconds_until(lambda: cluster.has_other_leaders(victim), FAILOVER_WITHIN_S)
    return {
        "leader of partitions killed: others lead, s": led,
        **_whole("leader of partitions killed", stack, cluster, load, began),
    }


def kill_controller(stack: Stack, cluster: Cluster, load: Load) -> Figures:
    """Kill the controller, which leads partitions as well."""
    victim = eventually(cluster.controller, within=20)
    began = time.monotonic()
    stack.kill(BROKERS[victim - 1])
    another = seconds_until(lambda: cluster.controller(without=victim), FAILOVER_WITHIN_S)
    seconds_until(lambda: cluster.has_other_leaders(victim), FAILOVER_WITHIN_S)
    return {
        "controller killed: another one is, s": another,
        "controller killed: others lead its partitions, s": time.monotonic() - began,
        **_whole("controller killed", stack, cluster, load, began),
    }


def kill_ensemble_leader(stack: Stack, cluster: Cluster, load: Load) -> Figures:
    """Kill the ZooKeeper that leads."""
    assert isinstance(stack, ZooKeeperStack)
    victim = eventually(stack.leader, within=20)
    began = time.monotonic()
    stack.kill(victim)
    another = seconds_until(lambda: stack.leader() != victim, FAILOVER_WITHIN_S)
    wait(STEADY_S)
    return {
        "leader of the ensemble killed: another one leads, s": another,
        **_whole("leader of the ensemble killed", stack, cluster, load, began),
    }


def _whole(fault: str, stack: Stack, cluster: Cluster, load: Load, began: float) -> Figures:
    """Wait until nothing is missing any more; return what the fault has cost."""
    seconds_until(lambda: cluster.is_whole() and _all_are_up(stack), WHOLE_WITHIN_S)
    whole = time.monotonic() - began
    wait(STEADY_S)
    return {f"{fault}: longest delivery, s": load.worst_s(began), f"{fault}: all as before, s": whole}


def _all_are_up(stack: Stack) -> bool:
    services = stack.services()
    return all(services[name]["health"] == "healthy" for name in (*stack.optional, *BROKERS))


def table(rounds: Mapping[str, Sequence[Figures]], note: str) -> str:
    """Return medians with their range, a column for each kind."""
    names = list(dict.fromkeys(name for each in rounds.values() for figures in each for name in figures))
    lines = [f"| | {' | '.join(rounds)} |", f"|---|{'---|' * len(rounds)}"]
    for name in names:
        cells = [_cell([figures[name] for figures in each if name in figures]) for each in rounds.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([f"Medians with their range of {note}.", "", *lines])


def write(page: Path, text: str) -> None:
    """Write the table between the page's comments."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{page} has no place for the table"
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()}, {datetime.now(UTC):%Y-%m-%d}"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    return str(median(values)) if any(values) else "0"


def _line(figures: Figures) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in figures.items())


def seconds(step: Callable[[], object]) -> float:
    began = time.monotonic()
    step()
    return time.monotonic() - began


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def pss_mib(members: Sequence[psutil.Process]) -> float:
    return math.fsum(process.memory_full_info().pss for process in members) / 2**20


def cpu_s(members: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in members]
    return math.fsum(each.user + each.system for each in times)


if __name__ == "__main__":
    main()
