"""Measures how fast events get from a commit to Kafka, on a cluster of its own: `python -m bench.publish`.

Compares three variants, one after the other, in one run on one machine:

    poll    a plain relay that looks into the outbox every second, publishes, waits for Kafka and deletes
    relay   our relay alone (PUBLISHER=relay)
    direct  our default: the producer publishes, the relay publishes the rest (PUBLISHER=direct)

It measures how fast a backlog is drained (rows/s, CPU of the relay in us/row), and the latency from a commit to a
consumer at a fixed rate. The ratios within a run are the result: absolute numbers of two machines, or of two runs,
are not comparable.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import sqlalchemy as sa
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from producer.config import Settings
from producer.publishing import topics
from producer.publishing.kafka import admin_settings, consumer_settings

ROOT = Path(__file__).parent.parent
VARIANTS = ("poll", "relay", "direct")
INSERT_BACKLOG = sa.text(
    """
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)
    SELECT gen_random_uuid(), 'order', gen_random_uuid(), 'order.placed',
           json_build_object('pad', repeat('x', 420)), 1, true, now() FROM generate_series(1, :rows)
    """
)


@dataclass(frozen=True)
class DrainResult:
    """How fast a backlog was drained. The time begins with the first event in Kafka, after the relay's start."""

    rows_per_s: float
    cpu_us_per_row: float


@dataclass(frozen=True)
class LatencyResult:
    """The latency from commit to consumer of a number of orders, and the CPU time of the relay per second."""

    orders: int
    p50_ms: float
    p99_ms: float
    cpu_cores: float


class TopicReader:
    """Reads the whole topic in a thread and notes when it first saw each event id (seconds, time.time)."""

    def __init__(self, settings: Settings):
        self.first_seen_s: dict[str, float] = {}
        self._consumer = Consumer(
            consumer_settings(settings) | {"fetch.min.bytes": 1, "fetch.wait.max.ms": 20}
        )
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
                    self.first_seen_s.setdefault(event_id.decode(), now)
        self._consumer.close()

    def close(self) -> None:
        """Stop the thread and close the consumer."""
        self._stop.set()
        self._thread.join(10)


def wait_until(condition: Callable[[], bool], timeout_s: float, pause_s: float = 0.005) -> None:
    """Wait until a condition holds. Raises TimeoutError after `timeout_s` seconds."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"The condition did not hold within {timeout_s} s.")
        pause.wait(pause_s)


@contextmanager
def running_relay(variant: str, environment: dict[str, str]) -> Iterator[psutil.Process]:
    """Start the relay of a variant as a process, and stop it at the end."""
    module = "bench.polling_relay" if variant == "poll" else "producer.relay"
    command = [sys.executable, "-m", module]
    relay = psutil.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield relay
    finally:
        relay.terminate()
        relay.wait(15)


@contextmanager
def topic_reader(settings: Settings) -> Iterator[TopicReader]:
    """Read the topic while the block runs."""
    reader = TopicReader(settings)
    try:
        yield reader
    finally:
        reader.close()


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU time of a process so far, in seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)


def measure_drain(
    variant: str, settings: Settings, engine: sa.Engine, environment: dict[str, str], rows: int
) -> DrainResult:
    """Fill the outbox with `rows` events and measure until all are in Kafka and deleted."""
    with engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE outbox"))
        connection.execute(INSERT_BACKLOG, {"rows": rows})
    with topic_reader(settings) as reader, running_relay(variant, environment) as relay:
        wait_until(lambda: len(reader.first_seen_s) > 0, 30)
        start, start_cpu = time.monotonic(), cpu_s(relay)
        wait_until(lambda: len(reader.first_seen_s) == rows and is_outbox_empty(engine), 120)
        duration = time.monotonic() - start
        return DrainResult(rows / duration, (cpu_s(relay) - start_cpu) / rows * 1e6)


def is_outbox_empty(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return not connection.execute(sa.text("SELECT EXISTS (SELECT FROM outbox)")).scalar_one()


def measure_latency(
    variant: str, settings: Settings, environment: dict[str, str], rate: int, seconds: int
) -> LatencyResult:
    """Place `rate` orders a second and measure the time from each commit to the consumer.

    The orders are placed by a process of their own (bench.writer), which reports when each was committed.
    """
    with topic_reader(settings) as reader, running_relay(variant, environment) as relay:
        start_cpu = cpu_s(relay)
        writer = subprocess.run(
            [sys.executable, "-m", "bench.writer", str(rate), str(seconds)],
            cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=seconds + 60,
        )  # fmt: skip
        committed_s: dict[str, float] = json.loads(writer.stdout)
        seen_s = reader.first_seen_s
        wait_until(lambda: committed_s.keys() <= seen_s.keys(), 60)
        cpu_cores = (cpu_s(relay) - start_cpu) / seconds
        latencies = sorted((seen_s[event_id] - commit_s) * 1000 for event_id, commit_s in committed_s.items())
        count = len(latencies)
        return LatencyResult(count, latencies[count // 2], latencies[int(count * 0.99)], cpu_cores)


def measure(variant: str, base: Settings, rows: int, rates: list[int], seconds: int) -> None:
    """Measure one variant on a topic of its own and print the results."""
    settings = base.model_copy(update={"kafka_topic": f"bench-{uuid.uuid4().hex[:8]}"})
    topics.ensure(AdminClient(admin_settings(settings)), settings)
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'producer_service'}",
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC": settings.kafka_topic,
        "PUBLISHER": "direct" if variant == "direct" else "relay",
        "RELAY_HEARTBEAT_FILE": f"{tempfile.gettempdir()}/{settings.kafka_topic}.heartbeat",
    }
    engine = sa.create_engine(settings.sqlalchemy_url, poolclass=sa.NullPool)
    if variant != "direct":  # its backlog is drained by the same relay
        drain = measure_drain(variant, settings, engine, environment, rows)
        print(
            f"{variant:7} drain {rows} rows: {drain.rows_per_s:8.0f} rows/s,"
            f" relay CPU {drain.cpu_us_per_row:5.1f} us/row"
        )
    for rate in rates:
        latency = measure_latency(variant, settings, environment, rate, seconds)
        print(
            f"{variant:7} {rate:5}/s: commit -> Kafka p50 {latency.p50_ms:7.2f} ms, p99 {latency.p99_ms:7.2f} ms"
            f" ({latency.orders} orders, relay CPU {latency.cpu_cores:.2f} cores)",
            flush=True,
        )


@contextmanager
def running_stores() -> Iterator[Settings]:
    """Start PostgreSQL and three brokers, migrate the database and return their addresses as settings."""
    with tempfile.TemporaryDirectory(prefix="order-stream-bench-") as home:
        stack = [sys.executable, "-m", "local_stack", "--home", home]
        subprocess.run([*stack, "start", "postgres", "kafka-1", "kafka-2", "kafka-3"], cwd=ROOT, check=True)
        try:
            addresses = read_env_file(Path(home) / "env")
            database_url = addresses["DATABASE_URL"]
            subprocess.run(
                [sys.executable, "-m", "alembic", "upgrade", "head"],
                cwd=ROOT / "db", env=os.environ | {"DATABASE_URL": database_url}, check=True, capture_output=True,
            )  # fmt: skip
            bootstrap_servers = addresses["KAFKA_BOOTSTRAP_SERVERS"]
            yield Settings(database_url=database_url, kafka_bootstrap_servers=bootstrap_servers)
        finally:
            subprocess.run([*stack, "stop"], cwd=ROOT, check=True)


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file of NAME=value lines, whose values may be quoted."""
    lines = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {name: value.strip("'\"") for name, value in lines}


def main() -> None:
    """Measure the variants that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m bench.publish",
    )
    parser.add_argument("--rows", type=int, default=50_000, help="size of the backlog to drain (%(default)s)")
    parser.add_argument(
        "--rates",
        type=int,
        nargs="+",
        default=[200, 1000],
        help="orders a second for the latency (%(default)s)",
    )
    parser.add_argument(
        "--seconds", type=int, default=15, help="how long each rate is measured (%(default)s)"
    )
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=VARIANTS, help="what to measure (all)"
    )
    arguments = parser.parse_args()
    with running_stores() as settings:
        for variant in arguments.variants:
            measure(variant, settings, arguments.rows, arguments.rates, arguments.seconds)


if __name__ == "__main__":
    main()
