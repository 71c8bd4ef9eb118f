"""The relay's process: what runs in it, and how it ends.

It may be killed at any moment, and any number of relays may run: a claimed row is only leased, and only the
read-back deletes.
"""

import os
import signal
import threading
from types import FrameType

import sqlalchemy as sa
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from producer.config import Settings
from producer.domain.database import create_engine
from producer.publishing.kafka import (
    admin_settings,
    bulk_producer_settings,
    consumer_settings,
    relay_producer_settings,
    single_producer_settings,
)
from producer.relay.dispatch import IN_FLIGHT, Dispatcher
from producer.relay.heartbeat import Heartbeat
from producer.relay.listener import Listener
from producer.relay.missing_partitions import MissingPartitions
from producer.relay.outbox import Lease, Outbox
from producer.relay.readback import ReadBack
from producer.relay.readback_thread import ReadBackThread
from producer.relay.wakeup import Wakeup

DATABASE_TIMEOUT_S = 3.0
STOP_S = 4.0


def create_relay_engine(settings: Settings) -> sa.Engine:
    """Return an engine without a ping before each statement: a failed one is tried again in the next round."""
    return create_engine(settings.sqlalchemy_url, 4, DATABASE_TIMEOUT_S, isolation_level="AUTOCOMMIT")


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. What is in flight then is finished by whichever relay claims it next.

    Raises SystemExit when the topic was created again: the next process has new clients."""
    wakeup, running = Wakeup(), True

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal running
        running = False
        wakeup.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    heartbeat = Heartbeat(settings.relay_heartbeat_file)
    heartbeat.forget_the_last_relay()
    engine = create_relay_engine(settings)
    grace_s = max(settings.publish_grace, settings.capture_grace).total_seconds()
    furthest_s = 2 * max(Lease.longest_s, grace_s)
    outbox = Outbox(engine, Lease(settings.relay_lease_s, furthest_s=furthest_s))
    producer = Producer(relay_producer_settings(settings))
    listener = Listener(engine, wakeup.set)
    readback = ReadBack(
        outbox,
        lambda: Consumer(consumer_settings(settings)),
        lambda: AdminClient(admin_settings(settings)),
        settings.kafka_topic,
        wakeup.set,
    )
    dispatcher = Dispatcher(
        outbox,
        readback,
        producer,
        settings.kafka_topic,
        new_bulk_producer=lambda: Producer(bulk_producer_settings(settings)),
        new_single_producer=lambda: Producer(single_producer_settings(settings)),
        in_flight=min(IN_FLIGHT, settings.publish_queue),
    )
    missing_partitions = MissingPartitions(AdminClient(admin_settings(settings)), settings.kafka_topic)
    thread = ReadBackThread(readback)
    thread.start()
    listener.start()
    while running:
        thread.check()
        if readback.found_another_topic:
            raise SystemExit("The topic was created again: the relay starts anew, with new clients.")
        if dispatcher.missing_partitions:
            missing_partitions.add(dispatcher.missing_partitions)
        heartbeat.beat(readback.lag(), readback.skipped, readback.away_s())
        wakeup.wait(dispatcher.run_once())
    # Dying is safe, so the stop has a bound: whatever still waits for a server is cut off.
    deadline = threading.Timer(STOP_S, os._exit, [0])
    deadline.daemon = True
    deadline.start()
    listener.close(STOP_S)
    thread.close(STOP_S)
    dispatcher.flush(STOP_S)
