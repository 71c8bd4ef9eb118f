"""What a million rows in the outbox cost: `python -m bench.million_rows`, on a real cluster of its own.

Measured in one run: POST /orders with an empty outbox, with a full one, and after the drain; what the relay and
the producer ask of a full outbox, with the indexes of migration 0003 and without them; how long a relay takes
until its first event is in Kafka, and to drain everything; how large the table is afterwards. The ratios within
a run are the result.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.publish import INSERT_BACKLOG, ROOT, running_relay, running_stores, wait_until
from producer.config import Settings
from producer.domain.backlog import EXACT_ROWS, MEASURE
from producer.publishing import topics
from producer.publishing.kafka import admin_settings, consumer_settings
from producer.relay.outbox import CLAIM, HAS_DUE, OLDEST_UNPARKED

ORDER = json.dumps({"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2})
CHUNK = 10_000
LEASE = {"limit": 1000, "first_s": 10, "longest_s": 60}


@contextmanager
def producer(environment: dict[str, str]) -> Iterator[int]:
    """Run the producer under gunicorn; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "producer:create_app()"]
    process = subprocess.Popen(
        command, cwd=ROOT / "producer_service", env=environment, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(port), 30)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def post_latency(port: int, seconds: float, what: str) -> float:
    """Place orders one after another on one connection; return the median in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    waits, end = [], time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        connection.request("POST", "/orders", ORDER, {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        assert response.status == 201, body
        waits.append((time.monotonic() - begun) * 1000)
    connection.close()
    waits.sort()
    p50 = waits[len(waits) // 2]
    p99, longest = waits[int(len(waits) * 0.99)], waits[-1]
    print(
        f"POST /orders, {what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {longest:.0f} ms ({len(waits)})",
        flush=True,
    )
    return p50


def ask_everything(connection: sa.Connection, what: str) -> None:
    """Time each question three times and print the quickest; claims are rolled back."""
    questions: dict[str, Callable[[], object]] = {
        "backlog": lambda: connection.execute(MEASURE, {"exact": EXACT_ROWS}).all(),
        "oldest row": lambda: connection.execute(OLDEST_UNPARKED).all(),
        "anything due": lambda: connection.execute(HAS_DUE).all(),
        "claim 1000": lambda: connection.execute(CLAIM, LEASE).all(),
    }
    times = []
    for name, ask in questions.items():
        taken = []
        for _ in range(3):
            savepoint, begun = connection.begin_nested(), time.monotonic()
            ask()
            taken.append((time.monotonic() - begun) * 1000)
            savepoint.rollback()
        times.append(f"{name} {min(taken):.1f} ms")
    print(f"{what}: {', '.join(times)}", flush=True)


def ask_with_and_without_indexes(engine: sa.Engine, what: str) -> None:
    with engine.connect() as connection:
        ask_everything(connection, what)
        connection.execute(sa.text("DROP INDEX outbox_created_at, outbox_parked"))
        ask_everything(connection, f"{what}, without the indexes of 0003")
        connection.rollback()


def fill(engine: sa.Engine, rows: int) -> None:
    """Store rows as an outage would: in many transactions."""
    for begin in range(0, rows, CHUNK):
        with engine.begin() as connection:
            connection.execute(INSERT_BACKLOG, {"rows": min(CHUNK, rows - begin)})


def events_in_kafka(settings: Settings) -> int:
    consumer = Consumer(consumer_settings(settings))
    try:
        partitions = range(settings.kafka_topic_partitions)
        ends = [
            consumer.get_watermark_offsets(TopicPartition(settings.kafka_topic, number), timeout=5)
            for number in partitions
        ]
        return sum(end[1] for end in ends if end is not None)
    finally:
        consumer.close()


def heap_mib(engine: sa.Engine) -> float:
    with engine.connect() as connection:
        return float(connection.execute(sa.text("SELECT pg_relation_size('outbox')")).scalar_one()) / 2**20


def rows_left(engine: sa.Engine) -> bool:
    """Look by the index, and rarely: a scan of what is not vacuumed yet would slow the drain down."""
    threading.Event().wait(0.5)
    next_row = (
        "SELECT count(*) FROM (SELECT FROM outbox WHERE parked_at IS NULL ORDER BY due_at LIMIT 1) AS next"
    )
    with engine.connect() as connection:
        return bool(connection.execute(sa.text(next_row)).scalar_one())


def drain(engine: sa.Engine, settings: Settings, environment: dict[str, str], rows: int) -> None:
    begun = time.monotonic()
    with running_relay("relay", environment):
        wait_until(lambda: events_in_kafka(settings) > 0, 60)
        print(f"relay: first event in Kafka {time.monotonic() - begun:.1f} s after its start", flush=True)
        wait_until(lambda: not rows_left(engine), 1800)
        took = time.monotonic() - begun
        print(f"relay: drained in {took:.0f} s, {rows / took:.0f} rows/s", flush=True)


def measure(base: Settings, rows: int, seconds: float) -> None:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    settings = base.model_copy(
        update={"kafka_topic": name, "publisher": "relay", "outbox_max_rows": 10 * rows}
    )
    topics.ensure(AdminClient(admin_settings(settings)), settings)
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'producer_service'}",
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC": settings.kafka_topic,
        "PUBLISHER": settings.publisher,
        "OUTBOX_MAX_ROWS": str(settings.outbox_max_rows),
        "RELAY_HEARTBEAT_FILE": f"{tempfile.gettempdir()}/{settings.kafka_topic}.heartbeat",
    }
    engine = sa.create_engine(settings.sqlalchemy_url, poolclass=sa.NullPool)
    with producer(environment) as port:
        post_latency(port, 3, "to warm up")
        before = post_latency(port, seconds, "empty outbox")
        fill(engine, rows)
        print(f"{rows} rows, heap {heap_mib(engine):.0f} MiB", flush=True)
        full = post_latency(port, seconds, f"{rows} rows")
        print(f"POST /orders, {rows} rows against none: {full / before:.2f} x", flush=True)
        ask_with_and_without_indexes(engine, f"{rows} rows")
        drain(engine, settings, environment, rows)
        ask_with_and_without_indexes(engine, "just drained")
        begun = time.monotonic()
        wait_until(lambda: heap_mib(engine) < 50, 180)
        print(
            f"heap {heap_mib(engine):.0f} MiB, {time.monotonic() - begun:.0f} s after the drain", flush=True
        )
        after = post_latency(port, seconds, "drained")
        print(f"POST /orders, after against before: {after / before:.2f} x", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    with running_stores() as base:
        measure(base, arguments.rows, arguments.seconds)


if __name__ == "__main__":
    main()
