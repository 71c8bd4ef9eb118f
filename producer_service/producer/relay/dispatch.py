"""What the relay does in each round: claims due rows and hands them to Kafka."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message
from sqlalchemy.exc import SQLAlchemyError

from producer.domain.layout import NoLayout
from producer.domain.partitioner import partition_of
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
CLEAN_UP = 2000
# A row whose event Kafka did not acknowledge is due again after this, not when its lease ends: that would be up to a
# minute after an outage.
RETRY_S = 2.0
# The orders of a partition that is not read back are looked at again when it has been so for a quarter as long again.
HOLD_PART, HOLD_LEAST_S, HOLD_MOST_S = 0.25, 1.0, 60.0
# A client that delivers nothing to a partition for so long, while its leader answers the read-back, is stuck:
# librdkafka's idempotent producer was so for good after a broker was frozen, and after the topic was created anew.
STUCK_S = 30.0
# Successes are not reported (they are read back): a partition without a failure for so long is well again. A stuck one
# fails at the end of each delivery's 5 s, with a pause of RETRY_S between.
WELL_AFTER_S = 10.0
# How often rows are looked for that are dated too far ahead, because the clock was set back.
PULL_IN_EVERY_S = 10.0
PULL_IN = 2000

# The errors of an event that no broker will ever take, however often it is offered.
REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD,
}

OnFailure = Callable[[DueEvent, KafkaError], None]


class DispatchOutbox(Protocol):
    """The part of Outbox that the dispatcher uses."""

    def claim(self, limit: int) -> tuple[list[DueEvent], int]: ...
    def has_due(self) -> bool: ...
    def hold(self, ids: Sequence[str], for_s: float) -> None: ...
    def retry(self, ids: Sequence[str], after_s: float) -> None: ...
    def park(self, event_id: str, reason: str) -> None: ...
    def delete_expired_keys(self, limit: int) -> int: ...
    def pull_in(self, limit: int) -> int: ...


class DispatchReadBack(Protocol):
    """The part of ReadBack that the dispatcher uses."""

    def staleness(self) -> dict[int, float]: ...
    def request_proof(self) -> None: ...


class Dispatcher:
    """Claims due rows and hands them to Kafka, while the read-back of their partition is up to date.

    new_bulk_producer: makes the client for a backlog, which gathers large batches. The first one is for the events of
    the moment. The clients do not compete: of one order there is never more than one event on its way.
    new_single_producer: makes the client that sends each event in a batch of its own; it is needed rarely.
    in_flight: how many events may wait for Kafka's answer; no more than the queue of the client holds.
    missing_partitions: up to how many the layout has events published, when not all of these are read back; else 0.
    """

    def __init__(
        self,
        outbox: DispatchOutbox,
        readback: DispatchReadBack,
        producer: KafkaProducer,
        topic: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        new_bulk_producer: Callable[[], KafkaProducer],
        new_single_producer: Callable[[], KafkaProducer],
        in_flight: int = IN_FLIGHT,
    ):
        self._outbox, self._readback, self._producer = outbox, readback, producer
        self._topic, self._clock, self._in_flight = topic, clock, in_flight
        self._new_bulk_producer, self._new_single_producer = new_bulk_producer, new_single_producer
        self._bulk_producer: KafkaProducer | None = None
        self._single_producer: KafkaProducer | None = None
        self._suspects: deque[DueEvent] = deque()
        self.missing_partitions = 0
        self._unacknowledged: list[str] = []
        self._failures: dict[int | None, tuple[float, float]] = {}
        self._away_since: dict[int, float] = {}
        self._claimed_at = float("-inf")
        self._clean_at = clock() + CLEAN_UP_EVERY_S
        self._pull_in_at = clock() + PULL_IN_EVERY_S

    def run_once(self) -> float:
        """Do one round; return how long to wait before the next one, in seconds.

        Raises KafkaException when the Kafka client is unusable: the process must end.
        """
        try:
            for client in self._clients():
                client.poll(0)  # serves the delivery reports, and with them what must be parked
            self._offer_suspects()
            self._retry_unacknowledged()
            self._require_deliveries()
            more_to_clean = self._clean_up()
            pulled_in = self._pull_in()
            pause_s = self._publish_due()
            return 0 if more_to_clean or pulled_in else pause_s
        except NoLayout as error:
            logger.error("Nothing is published: %s", error)
            return POLL_S
        except SQLAlchemyError as error:
            logger.warning("The database does not answer: %s", str(error).splitlines()[0])
            return POLL_S

    def flush(self, timeout_s: float) -> None:
        """Deliver what is queued, for at most `timeout_s`; the outbox has the rest."""
        end = self._clock() + timeout_s
        for client in self._clients():
            client.flush(max(0.0, end - self._clock()))

    def _clean_up(self) -> bool:
        """Delete expired keys, a bounded number at a time; return whether there are more of them."""
        if self._clock() < self._clean_at:
            return False
        if self._outbox.delete_expired_keys(CLEAN_UP) == CLEAN_UP:
            return True
        self._clean_at = self._clock() + CLEAN_UP_EVERY_S
        return False

    def _pull_in(self) -> bool:
        """Make rows due that are dated too far ahead, a bounded number at a time; return whether there were any."""
        if self._clock() < self._pull_in_at:
            return False
        if pulled_in := self._outbox.pull_in(PULL_IN):
            logger.warning("%d events were dated far ahead: has the clock been set back? Due now", pulled_in)
            return True
        self._pull_in_at = self._clock() + PULL_IN_EVERY_S
        return False

    def _publish_due(self) -> float:
        """Claim only with a fresh proof: a row whose event is in Kafka by now is not sent again."""
        staleness = self._readback.staleness()
        fresh = {number for number, stale_s in staleness.items() if stale_s < MAX_STALENESS_S}
        busy = self._clock() - self._claimed_at < BUSY_S
        if max(staleness.values(), default=MAX_STALENESS_S) > PROOF_EVERY_S and (
            busy or self._outbox.has_due()
        ):
            self._readback.request_proof()
            busy = True
        if not fresh:
            self._away_since.clear()  # nothing is held; how long each is away counts from when the first is back
            return STALE_WAIT_S if busy else POLL_S
        room = min(CLAIM, self._in_flight - self._unanswered())
        if (
            room < (min(CLAIM, self._in_flight) + 1) // 2
        ):  # a claim of a few rows costs as much as one of many
            self._clients()[-1].poll(STALE_WAIT_S)
            return 0
        return self._claim(room, fresh, len(staleness))

    def _unanswered(self) -> int:
        return sum(len(client) for client in self._clients()) + len(self._suspects)

    def _clients(self) -> list[KafkaProducer]:
        made = (self._producer, self._single_producer, self._bulk_producer)
        return [client for client in made if client is not None]

    def _client_for(self, claimed: int, room: int) -> KafkaProducer:
        """Return the client for a backlog when a claim was full, so that more rows are waiting."""
        if claimed < room:
            return self._producer
        if self._bulk_producer is None:
            self._bulk_producer = self._new_bulk_producer()
        return self._bulk_producer

    def _claim(self, room: int, fresh: set[int], known: int) -> float:
        events, blocked = self._outbox.claim(room)
        publish, hold = list[DueEvent](), dict[int, list[str]]()
        layout = events[0].partitions if events else 0
        for event in events:
            # Named here in any case, though it takes as long as all else that is done for an event: a relay that is
            # frozen now may go on when its client knows partitions of which nobody has told the readers yet.
            number = partition_of(event.order_id, layout or known)
            if number in fresh:
                publish.append(event._replace(partition=number))
            else:
                hold.setdefault(number, []).append(event.id)
        self.missing_partitions = layout if layout > known else 0
        self._report_held(set(range(max(known, layout))) - fresh)
        if publish:
            self._claimed_at = self._clock()
        client = self._client_for(len(events) + blocked, room)
        for event in publish:
            self._publish(event, client, self._on_batch_failure)
        for number, ids in hold.items():
            away_s = self._clock() - self._away_since[number]
            self._outbox.hold(ids, min(max(HOLD_PART * away_s, HOLD_LEAST_S), HOLD_MOST_S))
        return 0 if events or blocked else POLL_S

    def _report_held(self, partitions: set[int]) -> None:
        """Remember since when partitions are not read back, and log when others are."""
        if partitions != self._away_since.keys():
            now = self._clock()
            self._away_since = {number: self._away_since.get(number, now) for number in partitions}
            if partitions:
                logger.warning("Holding the orders of partitions %s: not read back", sorted(partitions))
            else:
                logger.info("All partitions are read back again")

    def _publish(self, event: DueEvent, producer: KafkaProducer, on_failure: OnFailure) -> None:
        """Queue an event. One that is not acknowledged is due again soon; one that is lost, when its lease is over."""

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                if error.code() not in REFUSED:
                    self._note_failure(message.partition())
                on_failure(event, error)

        try:
            produce_event(
                producer,
                self._topic,
                event.id,
                event.order_id,
                event.payload,
                on_delivery,
                event.partition,
            )
        except KafkaException as error:
            self._on_single_failure(event, error.args[0])  # refused by the client, before there was a batch
        except BufferError:
            logger.warning("The queue to Kafka is full: event %s waits for the end of its lease", event.id)

    def _on_batch_failure(self, event: DueEvent, error: KafkaError) -> None:
        """A broker judges the batch: any one event in it may be to blame, so each is offered on its own."""
        if error.code() in REFUSED and not _is_fatal(error):
            self._suspects.append(event)
        else:
            self._on_single_failure(event, error)

    def _on_single_failure(self, event: DueEvent, error: KafkaError) -> None:
        if _is_fatal(error):
            raise KafkaException(error)  # this client is unusable: the process ends, and a new one begins
        if error.code() not in REFUSED:
            logger.warning(
                "Kafka did not acknowledge event %s; it will be sent again: %s", event.id, error.str()
            )
            self._unacknowledged.append(event.id)
            return
        logger.error("Kafka refused event %s of order %s: %s", event.id, event.order_id, error.str())
        self._outbox.park(event.id, error.str())

    def _retry_unacknowledged(self) -> None:
        """Date the rows of failed deliveries anew. They may have arrived all the same: then they are read back."""
        if self._unacknowledged:
            self._outbox.retry(self._unacknowledged, RETRY_S)
            self._unacknowledged = []

    def _note_failure(self, partition: int | None) -> None:
        """Remember since when deliveries to a partition have failed, one after the other."""
        now = self._clock()
        first, last = self._failures.get(partition, (now, now))
        self._failures[partition] = (first if now - last < WELL_AFTER_S else now), now

    def _require_deliveries(self) -> None:
        """Raise KafkaException when a client is stuck: the process ends, and the next one has new clients."""
        stuck = [number for number, (first, last) in self._failures.items() if last - first >= STUCK_S]
        fresh = [n for n, stale_s in self._readback.staleness().items() if stale_s < MAX_STALENESS_S]
        if fresh and set(stuck) & {None, *fresh}:
            text = (
                f"Nothing was delivered to partitions {stuck} for {STUCK_S:.0f} s, while their leaders answer"
            )
            logger.error("%s: starting anew", text)
            raise KafkaException(KafkaError(KafkaError._FAIL, text))

    def _offer_suspects(self) -> None:
        """Send each event of a refused batch in a batch of its own. What is refused again is parked."""
        if self._suspects and self._single_producer is None:
            self._single_producer = self._new_single_producer()
        if self._single_producer is None:
            return
        while self._suspects:
            self._publish(self._suspects.popleft(), self._single_producer, self._on_single_failure)
        self._single_producer.poll(0)


def _is_fatal(error: KafkaError) -> bool:
    """Return whether the client is unusable; `produce` raises _FATAL in an error that does not call itself fatal."""
    return error.fatal() or error.code() == KafkaError._FATAL
