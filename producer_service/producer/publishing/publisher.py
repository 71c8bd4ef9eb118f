"""The direct publish: after the commit, events are handed to librdkafka, and nobody waits for it.

An event that is not delivered is not lost: its row stays in the outbox until the event has been read back from
Kafka, and after the grace the relay publishes it.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import ClusterMetadata

from producer.domain.events import Event
from producer.publishing.breaker import Breaker, Permit
from producer.publishing.produce import CLIENTS_OWN, KafkaProducer, produce_event

logger = logging.getLogger(__name__)

FLUSH_S = 5.0
POLL_S = 0.2
# A new client may be unusable for the same reason as the last one.
REPLACE_EVERY_S = 1.0
# A client that has delivered nothing to a partition for so long, whenever it tried, is replaced: librdkafka's
# idempotent producer was stuck for good after a broker was frozen, and after the topic was created anew. While Kafka is
# away a client is replaced in vain, which costs little.
STUCK_S = 30.0


class Publisher:
    """The Kafka producer of one process, created before the fork and started after it.

    grace: how long a row is left to the direct publish before the relay may take it; None leaves every event
    to the relay.
    captured: instead of a grace, how long a row is left to Debezium, which reads it from PostgreSQL's log; then nothing
    is published here.
    """

    def __init__(
        self,
        new_producer: Callable[[], KafkaProducer],
        topic: str,
        grace: timedelta | None,
        breaker: Breaker,
        notify_relay: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        captured: timedelta | None = None,
    ):
        self._new_producer, self._topic, self._grace = new_producer, topic, grace
        self._left_to_others = captured or timedelta(0)
        self.breaker, self._notify_relay, self._clock = breaker, notify_relay, clock
        self._producer: KafkaProducer | None = None
        self._replaced: list[tuple[KafkaProducer, float]] = []
        self._failing_since: dict[int | None, float] = {}
        self._replacing = threading.Lock()
        self._replaced_at = float("-inf")
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
        try:
            left = self._producer.flush(FLUSH_S)
        except KafkaException as error:
            left = len(self._producer)
            logger.warning("The Kafka client is unusable at the stop: %s", error.args[0].str())
        left += sum(len(producer) for producer, _ in self._replaced)
        if left:
            logger.warning("%d events were not delivered before the stop; the relay will publish them", left)

    def request_permit(self) -> "PublishPermit":
        """Return the permit for one transaction, which belongs inside its block: its grace starts now."""
        breaker_permit = self.breaker.permit() if self._grace and self._producer is not None else None
        grace = self._grace if self._grace and breaker_permit else self._left_to_others
        return PublishPermit(self, grace, self._clock() + grace.total_seconds(), breaker_permit)

    def publish(self, events: list[Event], until: float, permit: Permit) -> bool:
        """Queue the events, unless `until` on this publisher's clock has passed.

        Return whether any was offered to Kafka, and the permit's report will come or has come.
        """
        producer = self._producer
        if producer is None:
            return False

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            self._report(error, message.partition(), permit, producer)

        for number, event in enumerate(events):
            if self._clock() >= until:
                logger.warning("Too late for a direct publish; by now the relay has the event")
                return number > 0
            order_id = str(event.order_id)
            partition = CLIENTS_OWN if event.partition is None else event.partition
            try:
                produce_event(
                    producer, self._topic, str(event.id), order_id, event.payload, on_delivery, partition
                )
            except BufferError:
                self.breaker.failed(permit)
                logger.warning("The queue to Kafka is full; the relay will publish the remaining events")
                return True
            except KafkaException as error:
                self._report(error.args[0], None, permit, producer)
                return True
        return bool(events)

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
        """Serve the delivery reports until the stop. Whatever happens, this thread goes on."""
        while not self._stop.is_set() and (producer := self._producer) is not None:
            try:
                self._serve_replaced()
                producer.poll(POLL_S)
            except KafkaException as error:  # the client tells of its end here, and only once
                logger.error("The Kafka client is unusable: %s", error.args[0].str())
                self._replace(producer)
            except Exception:
                logger.exception("A delivery report could not be served")
                self._stop.wait(POLL_S)

    def _serve_replaced(self) -> None:
        """Serve the last reports of clients that were replaced: a client is closed only when it has given them all.

        Nor within the grace: until then a request may be about to use it."""
        for replaced in list(self._replaced):
            producer, since = replaced
            with suppress(KafkaException):
                producer.poll(0)
            if not len(producer) and self._grace and self._clock() - since > self._grace.total_seconds():
                self._replaced.remove(replaced)

    def _report(
        self, error: KafkaError | None, partition: int | None, permit: Permit, producer: KafkaProducer
    ) -> None:
        """Take note of a delivery or its failure. partition: None when the client did not get as far."""
        if error is None:
            self.breaker.succeeded(permit)
            for place in (partition, None):
                self._failing_since.pop(place, None)
            return
        if producer is self._producer:  # what a replaced one leaves behind says nothing of the new one
            self.breaker.failed(permit)
        logger.warning(
            "Kafka did not acknowledge an event; the relay will publish it if needed: %s", error.str()
        )
        if _is_fatal(error) or self._is_stuck(partition, producer):
            self._replace(producer)

    def _is_stuck(self, partition: int | None, producer: KafkaProducer) -> bool:
        """Return whether the client, which has just failed again, has done nothing else there for STUCK_S."""
        if producer is not self._producer:
            return False
        now = self._clock()
        return now - self._failing_since.setdefault(partition, now) >= STUCK_S

    def _replace(self, unusable: KafkaProducer) -> None:
        """Create a new client instead of one that has failed for good: an idempotent producer that lost its place.
        The order of events does not need the old one: of one order there is never more than one event on its way.

        Several threads notice that; the first one does it. A client that cannot be created, or that fails at
        once, is replaced when the next publish meets it.
        """
        with self._replacing:
            too_soon = self._clock() - self._replaced_at < REPLACE_EVERY_S
            if self._producer is not unusable or too_soon or self._stop.is_set():
                return
            self._replaced_at = self._clock()
            try:
                self._producer = self._new_producer()
            except KafkaException as error:
                logger.error("A new Kafka client could not be created: %s", error.args[0].str())
            else:
                self._replaced.append((unusable, self._clock()))
                self._failing_since.clear()
                logger.warning("The Kafka client was replaced")


def _is_fatal(error: KafkaError) -> bool:
    """Return whether the client is unusable. produce() raises _FATAL, whose own fatal() is False."""
    return error.fatal() or error.code() == KafkaError._FATAL


@dataclass
class PublishPermit:
    """Permission to publish what one transaction stores, until `until` on the publisher's clock.

    A process that was frozen between commit and publish finds the time over and sends nothing: by then the
    relay may have sent this event and the one after it.

    As a context manager it gives itself back to the breaker when nothing was published: a probe must not be
    used up by a request that fails or that repeats an earlier one.
    """

    publisher: Publisher
    grace: timedelta
    until: float
    breaker_permit: Permit | None
    is_used: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.breaker_permit is not None and not self.is_used:
            self.publisher.breaker.release(self.breaker_permit)

    def publish(self, events: list[Event]) -> None:
        """Hand to Kafka what may go directly, and tell the relay about the rest. To be called after the commit."""
        direct = [event for event in events if event.direct] if self.grace else []
        if self.breaker_permit and direct:
            self.is_used = self.publisher.publish(direct, self.until, self.breaker_permit)
        if len(direct) < len(events):
            self.publisher.notify_relay()
