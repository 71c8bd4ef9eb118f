"""How fast events get from a commit to Kafka: `python -m bench.publish`, on a real cluster of its own.

Three ways, in turn, in one run, on one machine: `poll`, a plain relay that looks every second, publishes,
waits for Kafka and deletes; `relay`, ours (PUBLISHER=relay); `direct`, ours as it is by default. Measured are
draining a backlog (rows a second, CPU of the relay) and commit -> read by a consumer, at a fixed rate. The
ratios within a run are the result: the figures of two machines, or of two moments, do not compare.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import sqlalchemy as sa
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench import cluster
from bench.cluster import ROOT
from producer.config import Settings
from producer.publishing import topics
from producer.publishing.kafka import admin_settings, consumer_settings

WAYS = ("poll", "relay", "direct")
INSERT_BACKLOG = sa.text(
    """
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)
    SELECT gen_random_uuid(), 'order', gen_random_uuid(), 'order.placed',
           json_build_object('pad', repeat('x', 420)), 1, true, now() FROM generate_series(1, :rows)
    """
)


@dataclass(frozen=True)
class Drain:
    rows_s: float
    cpu_us: float


@dataclass(frozen=True)
class Latency:
    sent: int
    p50_ms: float
    p99_ms: float
    cpu_share: float


class Watcher:
    """Reads the whole topic and remembers when each event was first seen (time.time, seconds)."""

    def __init__(self, settings: Settings):
        self.seen: dict[str, float] = {}
        self._consumer = Consumer(consumer_settings(settings) | {"fetch.wait.max.ms": 20})
        partitions = range(settings.kafka_topic_partitions)
        self._consumer.assign([TopicPartition(settings.kafka_topic, number, 0) for number in partitions])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            first = self._consumer.poll(0.1)
            now = time.time()
            for message in [first, *self._consumer.consume(5000, 0)] if first is not None else []:
                if message.error() is None:
                    event_id = dict(message.headers() or ())["id"]
                    assert isinstance(event_id, bytes)
                    self.seen.setdefault(event_id.decode(), now)
        self._consumer.close()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


def wait_for(look: Callable[[], bool], within_s: float) -> None:
    end, pause = time.monotonic() + within_s, threading.Event()
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within_s} s")
        pause.wait(0.005)


def start_relay(way: str, environment: dict[str, str]) -> psutil.Process:
    module = "bench.poll_every_second" if way == "poll" else "producer.relay"
    return psutil.Popen([sys.executable, "-m", module], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def drain(way: str, settings: Settings, engine: sa.Engine, environment: dict[str, str], rows: int) -> Drain:
    with engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE outbox"))
        connection.execute(INSERT_BACKLOG, {"rows": rows})
    watcher, relay = Watcher(settings), start_relay(way, environment)
    try:
        wait_for(lambda: len(watcher.seen) > 0, 30)
        started, cpu = time.monotonic(), cpu_s(relay)
        wait_for(lambda: len(watcher.seen) == rows and empty(engine), 120)
        return Drain(rows / (time.monotonic() - started), (cpu_s(relay) - cpu) / rows * 1e6)
    finally:
        stop(relay)
        watcher.close()


def empty(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return not connection.execute(sa.text("SELECT EXISTS (SELECT FROM outbox)")).scalar_one()


def latency(way: str, settings: Settings, environment: dict[str, str], rate: int, seconds: int) -> Latency:
    """A writer of its own process commits at a fixed rate and tells when each commit was done."""
    watcher, relay = Watcher(settings), start_relay(way, environment)
    try:
        cpu = cpu_s(relay)
        writer = subprocess.run(
            [sys.executable, "-m", "bench.writer", str(rate), str(seconds)],
            cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=seconds + 60,
        )  # fmt: skip
        committed: dict[str, float] = json.loads(writer.stdout)
        wait_for(lambda: committed.keys() <= watcher.seen.keys(), 60)
        share = (cpu_s(relay) - cpu) / seconds
        waits = sorted((watcher.seen[event] - moment) * 1000 for event, moment in committed.items())
        return Latency(len(waits), waits[len(waits) // 2], waits[int(len(waits) * 0.99)], share)
    finally:
        stop(relay)
        watcher.close()


def stop(process: psutil.Process) -> None:
    process.terminate()
    process.wait(15)


def measure(way: str, base: Settings, rows: int, rates: list[int], seconds: int) -> None:
    publisher = "direct" if way == "direct" else "relay"
    settings = base.model_copy(
        update={"kafka_topic": f"bench-{uuid.uuid4().hex[:8]}", "publisher": publisher}
    )
    topics.ensure(AdminClient(admin_settings(settings)), settings)
    environment = cluster.environment(settings)
    engine = sa.create_engine(settings.sqlalchemy_url, poolclass=sa.NullPool)
    if way != "direct":  # what direct leaves behind is drained by the same relay
        done = drain(way, settings, engine, environment, rows)
        print(f"{way:7} drain {rows} rows: {done.rows_s:8.0f} rows/s, relay CPU {done.cpu_us:5.1f} us/row")
    for rate in rates:
        found = latency(way, settings, environment, rate, seconds)
        print(
            f"{way:7} {rate:5}/s: commit -> Kafka p50 {found.p50_ms:7.2f} ms, p99 {found.p99_ms:7.2f} ms"
            f" ({found.sent} orders, relay CPU {found.cpu_share:.2f} cores)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rates", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    arguments = parser.parse_args()
    with cluster.started() as base:
        for way in arguments.ways:
            measure(way, base, arguments.rows, arguments.rates, arguments.seconds)


if __name__ == "__main__":
    main()
