"""What happens to each way: a load, and a fault in the middle of it."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bench.compare import customers
from bench.compare.account import Arrivals, Change, Outcome, settle
from bench.compare.customers import Answered, Ledger
from bench.compare.topic import TopicReader
from bench.compare.usage import Usage
from bench.compare.ways import Way
from bench.publish import wait_until
from local_stack.services import BROKERS, POSTGRES

RATE = 200
BURST_CONNECTIONS = 64
KILLS = 3
# Where nothing has come for so long after the end of the load, what is missing is lost.
SILENCE_S = 20.0
# Nothing is stored or comes for so long: the server has no request left.
SETTLED_S = 3.0
DRAIN_S = 180.0
WARM_UP_S = 15.0
ELECTION_S = 30.0
READY_S = 120.0

Load = Callable[[int], Ledger]  # called with the port
Fault = Callable[[Way, "Pace"], None]


@dataclass(frozen=True)
class Pace:
    """How long and how much. seconds: of a load, without the time that brokers are away. away_s: how long they are."""

    seconds: float = 20.0
    burst: int = 20_000
    away_s: float = 20.0


@dataclass(frozen=True)
class Scenario:
    """load: makes the load. fault: is called when the load has begun, and breaks something."""

    name: str
    load: Callable[[Pace], Load]
    fault: Fault


@dataclass(frozen=True)
class Result:
    """What one trial gave. cpu_ms: by group of processes, for each committed change; memory_mib: the most, by group."""

    scenario: str
    way: str
    outcome: Outcome
    cpu_ms: dict[str, float]
    memory_mib: dict[str, float]


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _nothing(way: Way, pace: Pace) -> None:
    pass


def _leader_of_a_partition(way: Way) -> str | None:
    admin = AdminClient({"bootstrap.servers": way.stack.env["KAFKA_BOOTSTRAP_SERVERS"], "log_level": 0})
    try:
        leader = admin.list_topics("orders", timeout=5).topics["orders"].partitions[0].leader
    except KafkaException:
        return None
    return BROKERS[leader - 1] if leader > 0 else None


def _leader_is_killed(way: Way, pace: Pace) -> None:
    _wait(pace.seconds / 4)
    leader = _leader_of_a_partition(way)
    if leader is None:
        raise RuntimeError("Partition 0 has no leader before the fault.")
    way.stack.kill(leader)
    wait_until(lambda: _leader_of_a_partition(way) not in (None, leader), ELECTION_S)


def _brokers_are_away(way: Way, pace: Pace) -> None:
    _wait(pace.seconds / 4)
    way.stack.run("stop", *BROKERS)
    _wait(pace.away_s)
    way.stack.run("start", *BROKERS)


def _publisher_is_killed_while_brokers_are_away(way: Way, pace: Pace) -> None:
    """What a deployment does during an outage."""
    _wait(pace.seconds / 4)
    way.stack.run("stop", *BROKERS)
    _wait(pace.away_s)
    way.kill_publisher()
    way.stack.run("start", *BROKERS)


def _publisher_is_killed(way: Way, pace: Pace) -> None:
    """Kill it at times that are random, and the same for each way."""
    dice = random.Random(7)
    for _ in range(KILLS):
        _wait(pace.seconds / KILLS * dice.uniform(0.5, 0.9))
        wait_until(lambda: bool(way.app_processes()), READY_S)
        way.kill_publisher()


def _postgres_is_restarted(way: Way, pace: Pace) -> None:
    _wait(pace.seconds / 4)
    way.stack.run("restart", POSTGRES)


def _steady(pace: Pace) -> Load:
    return partial(customers.at_rate, rate=RATE, seconds=pace.seconds)


def _steady_while_away(pace: Pace) -> Load:
    return partial(customers.at_rate, rate=RATE, seconds=pace.seconds + pace.away_s)


def _burst(pace: Pace) -> Load:
    return partial(customers.all_at_once, count=pace.burst, connections=BURST_CONNECTIONS)


SCENARIOS = (
    Scenario(f"quiet, {RATE}/s", _steady, _nothing),
    Scenario("burst", _burst, _nothing),
    Scenario("leader of a partition killed", _steady, _leader_is_killed),
    Scenario("all brokers away", _steady_while_away, _brokers_are_away),
    Scenario(
        "all brokers away, then publisher killed",
        _steady_while_away,
        _publisher_is_killed_while_brokers_are_away,
    ),
    Scenario(f"publisher killed {KILLS} times", _steady, _publisher_is_killed),
    Scenario("PostgreSQL restarted", _steady, _postgres_is_restarted),
)


def play(scenario: Scenario, way: Way, pace: Pace) -> Result:
    """Play a scenario against a way that is ready; wait until it is ready again, and settle the accounts.

    Raises TimeoutError when the way is never ready again, and what the load raised.
    """
    since = way.now()
    reader = TopicReader(way.stack.env["KAFKA_BOOTSTRAP_SERVERS"], "orders")
    try:
        with Usage(way.processes) as usage:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                load: Future[Ledger] = pool.submit(scenario.load(pace), way.port)
                scenario.fault(way, pace)
                ledger = load.result(timeout=600)
            wait_until(way.is_ready, READY_S)
            rows = _drained(way, since, reader.arrivals)
    finally:
        reader.close()
    unknown = {change.order_id for change in reader.arrivals.first_s} - {order_id for order_id, _, _ in rows}
    reader.arrivals.forget(way.earlier(unknown, since))  # late events of the load before
    stored = {order_id: step for order_id, step, _ in rows}
    committed_s = {Change(order_id, step): moment for order_id, step, moment in rows if moment}
    changes = max(1, sum(stored.values()))
    outcome = settle(
        ledger.acknowledged, ledger.counts[Answered.REFUSED], ledger.counts[Answered.UNKNOWN],
        committed_s, stored, reader.arrivals,
    )  # fmt: skip
    cpu_ms = {name: used / changes * 1000 for name, used in usage.cpu_s.items()}
    return Result(scenario.name, way.name, outcome, cpu_ms, usage.peak_mib)


def warm_up(way: Way) -> None:
    """Place some orders that nobody counts: brokers and database are slow at first."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(customers.at_rate, way.port, RATE, WARM_UP_S).result(timeout=120)
    wait_until(way.is_ready, READY_S)


def _drained(way: Way, since: object, arrivals: Arrivals) -> list[tuple[str, int, float | None]]:
    """Wait until all that is stored has come, or nothing for so long that what is missing never will; return what is
    stored. A server that is behind goes on storing what its customers have given up."""
    began, pause = time.monotonic(), threading.Event()
    moved, last = began, (0, 0)
    while True:
        rows = way.stored(since)
        stored = sum(step for _, step, _ in rows)
        missing = any(
            Change(order_id, each) not in arrivals.first_s
            for order_id, step, _ in rows
            for each in range(1, step + 1)
        )
        now, state = time.monotonic(), (stored, len(arrivals.first_s))
        if state != last:
            last, moved = state, now
        if now - moved > (SILENCE_S if missing else SETTLED_S) or now - began > DRAIN_S:
            return rows
        pause.wait(0.5)
