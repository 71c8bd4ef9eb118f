"""The direct publish: after the commit, events are handed to librdkafka, and nobody waits for it.

An event that is not delivered is not lost: its row stays in the outbox until the event has been read back from
Kafka, and after the grace the relay publishes it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import ClusterMetadata

from producer.domain.events import Event
from producer.publishing.breaker import Breaker, Permit
from producer.publishing.produce import KafkaProducer, produce_event

logger = logging.getLogger(__name__)

FLUSH_S = 5.0


class Publisher:
    """The Kafka producer of one process, created before the fork and started after it.

    grace: how long a row is left to the direct publish before the relay may take it; None leaves every event
    to the relay.
    """

    def __init__(
        self,
        new_producer: Callable[[], KafkaProducer],
        topic: str,
        grace: timedelta | None,
        breaker: Breaker,
        notify_relay: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._new_producer, self._topic, self._grace = new_producer, topic, grace
        self.breaker, self._notify_relay, self._clock = breaker, notify_relay, clock
        self._producer: KafkaProducer | None = None
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None

    def start(self) -> None:
        """Create the Kafka client and the thread that serves its delivery reports."""
        self._producer = self._new_producer()
        self._poller = threading.Thread(target=self._poll, name="delivery-reports", daemon=True)
        self._poller.start()

    def close(self) -> None:
        """Deliver what is queued, for at most twice FLUSH_S; the outbox has the rest."""
        self._stop.set()
        if self._producer is None or self._poller is None:
            return
        self._poller.join(FLUSH_S)
        if left := self._producer.flush(FLUSH_S):
            logger.warning("%d events were not delivered before the stop; the relay will publish them", left)

    def request_permit(self) -> "PublishPermit":
        """Return the permit for one transaction. To be called before it: its grace starts now."""
        breaker_permit = self.breaker.permit() if self._grace and self._producer is not None else None
        grace = self._grace if self._grace and breaker_permit else timedelta(0)
        return PublishPermit(self, grace, self._clock() + grace.total_seconds(), breaker_permit)

    def publish(self, events: list[Event], until: float, permit: Permit) -> None:
        """Queue the events, unless `until` on this publisher's clock has passed."""

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            self._report(error, permit)

        producer = self._producer
        if producer is None:
            return
        try:
            for event in events:
                if self._clock() >= until:
                    logger.warning("Too late for a direct publish; by now the relay has the event")
                    return
                produce_event(
                    producer, self._topic, str(event.id), str(event.order_id), event.payload, on_delivery
                )
        except BufferError:
            self.breaker.failed(permit)
            logger.warning("The queue to Kafka is full; the relay will publish the remaining events")
        except KafkaException as error:
            self._report(error.args[0], permit)

    def notify_relay(self) -> None:
        """Tell the relay that rows have been stored that only it may publish."""
        self._notify_relay()

    def metadata(self, timeout_s: float) -> ClusterMetadata | None:
        """Return the cluster's description of the topic; None before the start.

        Raises KafkaException when no broker answers within `timeout_s`.
        """
        if self._producer is None:
            return None
        return self._producer.list_topics(self._topic, timeout=timeout_s)

    def _poll(self) -> None:
        while not self._stop.is_set() and self._producer is not None:
            self._producer.poll(0.2)

    def _report(self, error: KafkaError | None, permit: Permit) -> None:
        if error is None:
            self.breaker.succeeded(permit)
            return
        self.breaker.failed(permit)
        logger.warning(
            "Kafka did not acknowledge an event; the relay will publish it if needed: %s", error.str()
        )
        if error.fatal() and not self._stop.is_set():  # an idempotent producer that has lost its place
            self._producer = self._new_producer()


@dataclass(frozen=True)
class PublishPermit:
    """Permission to publish what one transaction stores, until `until` on the publisher's clock.

    A process that was frozen between commit and publish finds the time over and sends nothing: by then the
    relay may have sent this event and the one after it.
    """

    publisher: Publisher
    grace: timedelta
    until: float
    breaker_permit: Permit | None

    def publish(self, events: list[Event]) -> None:
        """Hand to Kafka what may go directly, and tell the relay about the rest. To be called after the commit."""
        direct = [event for event in events if event.direct] if self.breaker_permit else []
        if self.breaker_permit and direct:
            self.publisher.publish(direct, self.until, self.breaker_permit)
        if len(direct) < len(events):
            self.publisher.notify_relay()
