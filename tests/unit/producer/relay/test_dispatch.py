from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException
from sqlalchemy.exc import OperationalError

from producer.relay.dispatch import IN_FLIGHT, MAX_STALENESS_S, POLL_S, Dispatcher, ReadBackEnded
from producer.relay.outbox import DueEvent
from tests.clock import FakeClock
from tests.unit.producer.fake_kafka import FakeProducer


class FakeOutbox:
    """A DispatchOutbox of the given due rows; `blocked` is how many wait behind an earlier version."""

    def __init__(self, *due: DueEvent, blocked: int = 0):
        self.due, self.blocked = list(due), blocked
        self.parked: dict[str, str] = {}
        self.is_down = False

    def claim(self, limit: int) -> tuple[list[DueEvent], int]:
        """Take up to `limit` due rows. Raises OperationalError while `is_down`."""
        if self.is_down:
            raise OperationalError("SELECT", {}, Exception("no answer"))
        claimed, self.due = self.due[:limit], self.due[limit:]
        return claimed, self.blocked

    def has_due(self) -> bool:
        """Return whether any row is due."""
        return bool(self.due)

    def park(self, event_id: str, reason: str) -> None:
        """Remember the reason."""
        self.parked[event_id] = reason

    def delete_expired_keys(self, limit: int) -> None: ...


class FakeReadBack:
    """A DispatchReadBack whose knowledge has the given age. proofs_requested: how often a proof was asked for."""

    def __init__(self, staleness_s: float = 0.0):
        self._staleness_s = staleness_s
        self.proofs_requested, self.alive = 0, True

    def is_alive(self) -> bool:
        """Return `alive`."""
        return self.alive

    def staleness_s(self) -> float:
        """Return the age of the last proof."""
        return self._staleness_s

    def request_proof(self) -> None:
        """Count the request."""
        self.proofs_requested += 1


def event(payload: str = "{}") -> DueEvent:
    return DueEvent(str(uuid4()), str(uuid4()), payload)


def dispatcher(outbox: FakeOutbox, readback: FakeReadBack, kafka: FakeProducer) -> Dispatcher:
    return Dispatcher(outbox, readback, kafka, "orders", FakeClock())


def test_dispatcher_sends_due_rows_to_kafka() -> None:
    kafka = FakeProducer()
    assert dispatcher(FakeOutbox(event("a"), event("b")), FakeReadBack(), kafka).run_once() == 0
    assert kafka.sent == [b"a", b"b"]


def test_dispatcher_claims_nothing_while_the_read_back_is_stale() -> None:
    outbox, readback, kafka = FakeOutbox(event()), FakeReadBack(staleness_s=MAX_STALENESS_S), FakeProducer()
    dispatcher(outbox, readback, kafka).run_once()
    assert kafka.sent == []
    assert outbox.has_due()
    assert readback.proofs_requested == 1


def test_idle_dispatcher_requests_no_proof() -> None:
    readback = FakeReadBack(staleness_s=float("inf"))
    assert dispatcher(FakeOutbox(), readback, FakeProducer()).run_once() == POLL_S
    assert readback.proofs_requested == 0


def test_dispatcher_does_not_pause_after_a_claim_of_blocked_rows() -> None:
    assert dispatcher(FakeOutbox(blocked=7), FakeReadBack(), FakeProducer()).run_once() == 0


def test_event_that_kafka_refuses_for_good_is_parked() -> None:
    outbox, kafka = FakeOutbox(event("a"), event("b")), FakeProducer()
    dispatcher(outbox, FakeReadBack(), kafka).run_once()
    kafka.deliver(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    kafka.deliver()
    assert list(outbox.parked.values()) == ["too large"]


def test_event_that_librdkafka_refuses_at_once_is_parked() -> None:
    outbox = FakeOutbox(event())
    kafka = FakeProducer(error=KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    dispatcher(outbox, FakeReadBack(), kafka).run_once()
    assert list(outbox.parked.values()) == ["too large"]


@pytest.mark.parametrize(
    "unknown", [KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT, KafkaError._PURGE_QUEUE]
)
def test_event_with_an_unknown_outcome_is_left_to_its_lease(unknown: int) -> None:
    outbox, kafka = FakeOutbox(event()), FakeProducer()
    dispatcher(outbox, FakeReadBack(), kafka).run_once()
    kafka.deliver(KafkaError(unknown))
    assert outbox.parked == {}


def test_fatal_kafka_error_ends_the_relay() -> None:
    kafka = FakeProducer()
    dispatcher(FakeOutbox(event()), FakeReadBack(), kafka).run_once()
    with pytest.raises(KafkaException):
        kafka.deliver(KafkaError(KafkaError._FATAL, "fenced", fatal=True))


def test_events_in_flight_are_bounded() -> None:
    outbox, kafka = FakeOutbox(*(event() for _ in range(IN_FLIGHT + 1))), FakeProducer()
    busy = dispatcher(outbox, FakeReadBack(), kafka)
    for _ in range(20):
        busy.run_once()
    assert len(kafka.sent) == IN_FLIGHT
    kafka.deliver()
    busy.run_once()
    assert len(kafka.sent) == IN_FLIGHT + 1


def test_dispatcher_waits_for_a_database_that_does_not_answer() -> None:
    outbox, kafka = FakeOutbox(event("a")), FakeProducer()
    waiting = dispatcher(outbox, FakeReadBack(), kafka)
    outbox.is_down = True
    assert waiting.run_once() == POLL_S
    outbox.is_down = False
    waiting.run_once()
    assert kafka.sent == [b"a"]


def test_dispatcher_ends_when_the_read_back_has_ended() -> None:
    readback = FakeReadBack()
    readback.alive = False
    with pytest.raises(ReadBackEnded):
        dispatcher(FakeOutbox(), readback, FakeProducer()).run_once()
