"""What the relay does in each round: claims due rows and hands them to Kafka."""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message
from sqlalchemy.exc import SQLAlchemyError

from producer.publishing.produce import KafkaProducer, produce_event
from producer.relay.outbox import DueEvent

logger = logging.getLogger(__name__)

CLAIM = 1000
IN_FLIGHT = 5000
POLL_S = 0.5
MAX_STALENESS_S = 1.0
# While there is work the proof is renewed before it is too old; an idle relay asks nothing.
PROOF_EVERY_S = 0.3
BUSY_S = 5.0
STALE_WAIT_S = 0.02
CLEAN_UP_EVERY_S = 60.0
CLEAN_UP = 10_000

# The errors of an event that no broker will ever take, however often it is offered.
REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD,
}


class DispatchOutbox(Protocol):
    """The part of Outbox that the dispatcher uses."""

    def claim(self, limit: int) -> tuple[list[DueEvent], int]: ...
    def has_due(self) -> bool: ...
    def park(self, event_id: str, reason: str) -> None: ...
    def delete_expired_keys(self, limit: int) -> None: ...


class DispatchReadBack(Protocol):
    """The part of ReadBack that the dispatcher uses."""

    def staleness_s(self) -> float: ...
    def request_proof(self) -> None: ...


class Dispatcher:
    """Claims due rows and hands them to Kafka, while the read-back is up to date."""

    def __init__(
        self,
        outbox: DispatchOutbox,
        readback: DispatchReadBack,
        producer: KafkaProducer,
        topic: str,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._outbox, self._readback, self._producer = outbox, readback, producer
        self._topic, self._clock = topic, clock
        self._claimed_at = float("-inf")
        self._cleaned_at = clock()

    def run_once(self) -> float:
        """Do one round; return how long to wait before the next one, in seconds.

        Raises KafkaException when the Kafka client is unusable: the process must end.
        """
        try:
            self._producer.poll(0)  # serves the delivery reports, and with them what must be parked
            self._clean_up()
            return self._publish_due()
        except SQLAlchemyError as error:
            logger.warning("The database does not answer: %s", str(error).splitlines()[0])
            return POLL_S

    def _clean_up(self) -> None:
        if self._clock() - self._cleaned_at > CLEAN_UP_EVERY_S:
            self._cleaned_at = self._clock()
            self._outbox.delete_expired_keys(CLEAN_UP)

    def _publish_due(self) -> float:
        """Claim only with a fresh proof: a row whose event is in Kafka by now is not sent again."""
        staleness_s = self._readback.staleness_s()
        busy = self._clock() - self._claimed_at < BUSY_S
        if staleness_s > PROOF_EVERY_S and (busy or self._outbox.has_due()):
            self._readback.request_proof()
            busy = True
        if staleness_s >= MAX_STALENESS_S:
            return STALE_WAIT_S if busy else POLL_S
        room = min(CLAIM, IN_FLIGHT - len(self._producer))
        if room <= 0:
            self._producer.poll(STALE_WAIT_S)
            return 0
        return self._claim(room)

    def _claim(self, room: int) -> float:
        events, blocked = self._outbox.claim(room)
        if events:
            self._claimed_at = self._clock()
        for event in events:
            self._publish(event)
        return 0 if events or blocked else POLL_S

    def _publish(self, event: DueEvent) -> None:
        """Queue an event. One that is not acknowledged is due again when its lease is over."""

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._on_failure(event, error)

        try:
            produce_event(self._producer, self._topic, event.id, event.order_id, event.payload, on_delivery)
        except KafkaException as error:
            self._on_failure(event, error.args[0])
        except BufferError:
            logger.warning("The queue to Kafka is full: event %s waits for the end of its lease", event.id)

    def _on_failure(self, event: DueEvent, error: KafkaError) -> None:
        if error.fatal():
            raise KafkaException(error)  # this client is unusable: the process ends, and a new one begins
        if error.code() not in REFUSED:
            logger.warning(
                "Kafka did not acknowledge event %s; it will be sent again: %s", event.id, error.str()
            )
            return
        logger.error("Kafka refused event %s of order %s: %s", event.id, event.order_id, error.str())
        self._outbox.park(event.id, error.str())
