"""What the relay does in each round: claims due rows and hands them to Kafka."""

import logging
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message
from sqlalchemy.exc import SQLAlchemyError

from producer.outbox import DueEvent, Outbox
from producer.publisher import KafkaProducer, send
from producer.readback import ReadBack

logger = logging.getLogger(__name__)

CLAIM = 1000
IN_FLIGHT = 5000
POLL_S = 0.5
MAX_LAG_S = 1.0
# While there is work the proof is renewed before it is too old; an idle relay asks nothing.
PROOF_EVERY_S = 0.3
BUSY_S = 5.0
LAGGING_WAIT_S = 0.02
CLEAN_UP_EVERY_S = 60.0
CLEAN_UP = 10_000

# What a broker will never take, however often it is offered.
REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD,
}


class Dispatcher:
    """Claims due rows and hands them to Kafka, while the read-back is not behind."""

    def __init__(
        self,
        outbox: Outbox,
        readback: ReadBack,
        producer: KafkaProducer,
        topic: str,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._outbox, self._readback, self._producer = outbox, readback, producer
        self._topic, self._clock = topic, clock
        self._claimed_at = float("-inf")
        self._cleaned_at = clock()

    def round(self) -> float:
        """Look once; returns how long to wait before the next look, in seconds."""
        if not self._readback.is_alive():
            raise ReadBackEnded
        try:
            self._producer.poll(0)  # serves the delivery reports, and with them what must be parked
            self._clean_up()
            return self._publish_due()
        except SQLAlchemyError as error:
            logger.warning("the database does not answer: %s", str(error).splitlines()[0])
            return POLL_S

    def _clean_up(self) -> None:
        if self._clock() - self._cleaned_at > CLEAN_UP_EVERY_S:
            self._cleaned_at = self._clock()
            self._outbox.forget_keys(CLEAN_UP)

    def _publish_due(self) -> float:
        """Claims only with fresh knowledge: a row whose event is in Kafka by now is not sent again."""
        lag = self._readback.lag()
        busy = self._clock() - self._claimed_at < BUSY_S
        if lag > PROOF_EVERY_S and (busy or self._outbox.has_due()):
            self._readback.ask_for_proof()
            busy = True
        if lag >= MAX_LAG_S:
            return LAGGING_WAIT_S if busy else POLL_S
        room = min(CLAIM, IN_FLIGHT - len(self._producer))
        if room <= 0:
            self._producer.poll(LAGGING_WAIT_S)
            return 0
        return self._claim(room)

    def _claim(self, room: int) -> float:
        events, behind = self._outbox.claim(room)
        if events:
            self._claimed_at = self._clock()
        for event in events:
            self._publish(event)
        return 0 if events or behind else POLL_S

    def _publish(self, event: DueEvent) -> None:
        """One that is not acknowledged is due again when its lease is over."""

        def report(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._not_delivered(event, error)

        try:
            send(self._producer, self._topic, event.id, event.order_id, event.payload, report)
        except KafkaException as error:
            self._not_delivered(event, error.args[0])
        except BufferError:
            logger.warning("the queue to Kafka is full: %s waits for the end of its lease", event.id)

    def _not_delivered(self, event: DueEvent, error: KafkaError) -> None:
        if error.fatal():
            raise KafkaException(error)  # this client is finished: the process ends, and a new one begins
        if error.code() not in REFUSED:
            logger.warning("event %s was not acknowledged and will be sent again: %s", event.id, error.str())
            return
        logger.error("Kafka refuses event %s of order %s: %s", event.id, event.order_id, error.str())
        self._outbox.park(event.id, error.str())


class ReadBackEnded(Exception):
    """The read-back thread has ended; without it nothing may be claimed."""
