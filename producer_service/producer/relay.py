"""The relay: publishes what is still in the outbox after its due time. `python -m producer.relay`

It may be killed at any moment and any number of it may run: a claimed row is only leased, and only the
read-back deletes. `python -m producer.relay check` tells whether one is running here.
"""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import sqlalchemy as sa
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from producer import parked
from producer.config import Settings
from producer.dispatch import Dispatcher
from producer.kafka import admin_settings, consumer_settings, relay_producer_settings
from producer.notify import Listener
from producer.outbox import Lease, Outbox
from producer.readback import ReadBack
from producer.record import connect
from producer.wakeup import Wakeup

logger = logging.getLogger(__name__)

DATABASE_TIMEOUT_S = 3.0
HEARTBEAT_MAX_AGE_S = 15
STOP_S = 4.0


def _engine(settings: Settings) -> sa.Engine:
    """No ping before each statement: one that fails is tried again in the next round."""
    return connect(settings.sqlalchemy_url, 4, DATABASE_TIMEOUT_S, isolation_level="AUTOCOMMIT")


def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. What is in flight then is finished by whoever claims it next."""
    wakeup, running = Wakeup(), True

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal running
        running = False
        wakeup.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    engine = _engine(settings)
    outbox = Outbox(engine, Lease(first_s=settings.relay_lease_s))
    producer = Producer(relay_producer_settings(settings))
    listener = Listener(engine, wakeup.set)
    readback = ReadBack(
        outbox,
        lambda: Consumer(consumer_settings(settings)),
        lambda: AdminClient(admin_settings(settings)),
        settings.kafka_topic,
        wakeup.set,
    )
    dispatcher = Dispatcher(outbox, readback, producer, settings.kafka_topic)
    readback.start()
    listener.start()
    while running:
        settings.relay_heartbeat_file.touch()
        wakeup.wait(dispatcher.round())
    # Dying is safe, so the end has a bound: whatever still waits for a server is cut off.
    deadline = threading.Timer(STOP_S, os._exit, [0])
    deadline.daemon = True
    deadline.start()
    listener.close(STOP_S)
    readback.close(STOP_S)
    producer.flush(STOP_S)


def check(heartbeat: Path) -> int:
    """Exit status 0 when a relay of this machine went through its loop a moment ago."""
    try:
        age = time.time() - heartbeat.stat().st_mtime
    except FileNotFoundError:
        print("no relay has run here", file=sys.stderr)
        return 1
    if age > HEARTBEAT_MAX_AGE_S:
        print(f"the last sign of life is {age:.0f} s old", file=sys.stderr)
        return 1
    return 0


def main(arguments: list[str]) -> int:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    settings = Settings()
    if not arguments:
        serve(settings)
        return 0
    if arguments == ["check"]:
        return check(settings.relay_heartbeat_file)
    return parked.main(Outbox(_engine(settings)), arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
