"""What the ledger takes for a million orders: `python -m bench.ledger`, on a real cluster of its own.

Places orders as the producer does, publishes their events (on one replica: reading is the same), empties the outbox,
and runs the ledger: seconds, CPU, the peak of its memory, and the largest its temporary files were. Then it takes some
orders' events out of Kafka's reach by placing orders whose rows are deleted, and times --repair.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import repeat
from pathlib import Path

import sqlalchemy as sa
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from bench.publish import ROOT, running_stores
from producer.demo.random_orders import random_draft
from producer.domain.database import create_engine
from producer.domain.events import Event
from producer.domain.group_commit import GroupCommit
from producer.domain.models import Order
from producer.publishing import topics
from producer.publishing.kafka import admin_settings, relay_producer_settings
from producer.publishing.produce import produce_event

CHUNK = 2000


def placed(engine: sa.Engine, count: int) -> Iterator[list[Event]]:
    """Place orders; iterate over their events."""
    store = GroupCommit(engine, wait_s=60)
    drafts = [random_draft() for _ in range(200)]
    for _ in repeat(None, count // CHUNK):
        placement = Order.place(drafts * (CHUNK // len(drafts)), timedelta(0))
        store.store(placement, None, lambda: None)
        yield placement.events


def publish(producer: Producer, topic: str, events: list[Event]) -> None:
    for event in events:
        while True:
            try:
                produce_event(
                    producer, topic, str(event.id), str(event.order_id), event.payload, lambda *_: None
                )
                break
            except BufferError:
                producer.poll(0.1)
    producer.poll(0)


def measured(environment: dict[str, str], *options: str) -> None:
    """Run the ledger to its end and print what it took."""
    command = [sys.executable, "-m", "producer.ledger", "--json", *options]
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        command, cwd=ROOT / "producer_service", env=environment, stdout=subprocess.PIPE, text=True
    )
    largest = peak = 0
    while process.poll() is None:
        largest = max(largest, temporary_bytes(process.pid))
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.25)
        if (usage := peak_kib(process.pid)) is not None:
            peak = usage
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert process.stdout is not None
    print(" ".join(["ledger", *options]), json.loads(process.stdout.read()))
    print(
        f"  {seconds:.1f} s, {cpu_s:.1f} s of CPU, peak {peak / 1024:.0f} MiB,"
        f" temporary files {largest / (1 << 20):.0f} MiB",
        flush=True,
    )


def peak_kib(pid: int) -> int | None:
    """Return the peak of a process's resident memory; None when it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return None


def temporary_bytes(pid: int) -> int:
    """Return the size of the files without a name that a process has open."""
    total = 0
    with suppress(OSError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if "(deleted)" in os.readlink(each):
                    total += each.stat().st_size
    return total


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--orders", type=int, default=1_000_000)
    arguments.add_argument("--lost", type=int, default=100_000)
    given = arguments.parse_args()
    with running_stores() as stores:
        one_replica = {"kafka_topic_replication_factor": 1, "kafka_topic_min_insync_replicas": 1}
        settings = stores.model_copy(update=one_replica)
        values = settings.model_dump(mode="json", exclude_none=True)
        environment = os.environ | {name.upper(): str(value) for name, value in values.items()}
        topics.ensure(AdminClient(admin_settings(settings)), settings)
        engine = create_engine(settings.sqlalchemy_url, 2, 60, isolation_level="AUTOCOMMIT")
        producer = Producer(
            relay_producer_settings(settings) | {"delivery.timeout.ms": 60_000, "log_level": 0}
        )
        for events in placed(engine, given.orders):
            publish(producer, settings.kafka_topic, events)
        assert producer.flush(60) == 0
        empty_outbox(engine)
        measured(environment)
        if given.lost:
            for _ in placed(engine, given.lost):
                pass
            empty_outbox(engine)
            measured(environment, "--repair")


def empty_outbox(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text("TRUNCATE outbox"))


if __name__ == "__main__":
    main()
