"""The direct publish: after the commit, events are handed to librdkafka, and nobody waits for it.

What it does not deliver is not lost: the row stays in the outbox until its event has been read back from
Kafka, and once its grace is over the relay publishes it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import ClusterMetadata

from producer.breaker import Breaker, Permit
from producer.events import CONTENT_TYPE, Event
from producer.models import NO_GRACE

logger = logging.getLogger(__name__)

FLUSH_S = 5.0

Report = Callable[[KafkaError | None, Message], None]


class KafkaProducer(Protocol):
    """What we use of confluent_kafka.Producer."""

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        headers: list[tuple[str, str | bytes | None]],
        on_delivery: Report,
    ) -> None: ...
    def poll(self, timeout: float) -> int: ...
    def flush(self, timeout: float) -> int: ...
    def __len__(self) -> int: ...
    def list_topics(self, topic: str, timeout: float) -> ClusterMetadata: ...


def send(
    producer: KafkaProducer, topic: str, event_id: str, order_id: str, payload: str, report: Report
) -> None:
    """Queue one event; BufferError when librdkafka's queue is full. Does not wait."""
    headers: list[tuple[str, str | bytes | None]] = [("id", event_id), ("content-type", CONTENT_TYPE)]
    producer.produce(topic, payload.encode(), order_id.encode(), headers=headers, on_delivery=report)


class Publisher:
    """Owns the Kafka producer of one process. Made before the fork, started after it.

    grace: how long a row is ours before it is the relay's; None leaves every event to the relay.
    """

    def __init__(
        self,
        new_producer: Callable[[], KafkaProducer],
        topic: str,
        grace: timedelta | None,
        breaker: Breaker,
        tell_relay: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._new_producer, self._topic, self._grace = new_producer, topic, grace
        self.breaker, self._tell_relay, self._clock = breaker, tell_relay, clock
        self._producer: KafkaProducer | None = None
        self._stop = threading.Event()
        self._reports: threading.Thread | None = None

    def start(self) -> None:
        self._producer = self._new_producer()
        self._reports = threading.Thread(target=self._serve_reports, name="delivery-reports", daemon=True)
        self._reports.start()

    def close(self) -> None:
        """Deliver what is queued, within a bound; the outbox has the rest."""
        self._stop.set()
        if self._producer is None or self._reports is None:
            return
        self._reports.join(FLUSH_S)
        if left := self._producer.flush(FLUSH_S):
            logger.warning("%d events were not delivered before the stop; the relay will publish them", left)

    def prepare(self) -> "Handover":
        """To be called before the transaction: its rows are ours to publish until the grace is over."""
        permit = self.breaker.permit() if self._grace and self._producer is not None else None
        grace = self._grace if self._grace and permit else NO_GRACE
        return Handover(self, grace, self._clock() + grace.total_seconds(), permit)

    def publish(self, events: list[Event], until: float, permit: Permit) -> None:
        def report(error: KafkaError | None, message: Message) -> None:
            self._judge(error, permit)

        producer = self._producer
        if producer is None:
            return
        try:
            for event in events:
                if self._clock() >= until:
                    logger.warning("too late for a direct publish; the relay has it by now")
                    return
                send(producer, self._topic, str(event.id), str(event.order_id), event.payload, report)
        except BufferError:
            self.breaker.failed(permit)
            logger.warning("the queue to Kafka is full; the relay will publish what is left")
        except KafkaException as error:
            self._judge(error.args[0], permit)

    def tell_relay(self) -> None:
        """Rows that are the relay's from the beginning have been stored."""
        self._tell_relay()

    def metadata(self, timeout_s: float) -> ClusterMetadata | None:
        """What the cluster says of the topic; None before the start. KafkaException without an answer."""
        return (
            self._producer.list_topics(self._topic, timeout=timeout_s) if self._producer is not None else None
        )

    def _serve_reports(self) -> None:
        while not self._stop.is_set() and self._producer is not None:
            self._producer.poll(0.2)

    def _judge(self, error: KafkaError | None, permit: Permit) -> None:
        if error is None:
            self.breaker.succeeded(permit)
            return
        self.breaker.failed(permit)
        logger.warning("no acknowledgement from Kafka, the relay will look after the event: %s", error.str())
        if error.fatal() and not self._stop.is_set():  # an idempotent producer that has lost its place
            self._producer = self._new_producer()


@dataclass(frozen=True)
class Handover:
    """Leave to publish what one transaction stores, until `until` on the publisher's clock.

    An app that was frozen between commit and publish finds the time over and sends nothing: by then the
    relay may have sent this event and the one after it.
    """

    publisher: Publisher
    grace: timedelta
    until: float
    permit: Permit | None

    def publish(self, events: list[Event]) -> None:
        """After the commit: what may go direct goes to Kafka, of the rest the relay is told."""
        direct = [event for event in events if event.direct] if self.permit else []
        if self.permit and direct:
            self.publisher.publish(direct, self.until, self.permit)
        if len(direct) < len(events):
            self.publisher.tell_relay()
