from collections.abc import Callable
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException
from sqlalchemy.exc import OperationalError

from producer.relay.dispatch import IN_FLIGHT, MAX_STALENESS_S, POLL_S, Dispatcher
from producer.relay.outbox import DueEvent


class FakeOutbox:
    def __init__(self, *due: DueEvent, blocked: int = 0):
        self.due, self.blocked = list(due), blocked
        self.parked: dict[str, str] = {}
        self.away = False

    def claim(self, limit: int) -> tuple[list[DueEvent], int]:
        if self.away:
            raise OperationalError("SELECT", {}, Exception("away"))
        taken, self.due = self.due[:limit], self.due[limit:]
        return taken, self.blocked

    def has_due(self) -> bool:
        return bool(self.due)

    def delete_expired_keys(self, limit: int) -> None: ...

    def park(self, event_id: str, reason: str) -> None:
        self.parked[event_id] = reason


class FakeReadBack:
    def __init__(self, staleness_s: float = 0.0):
        self.stale, self.asked = staleness_s, 0

    def staleness_s(self) -> float:
        return self.stale

    def request_proof(self) -> None:
        self.asked += 1


class FakeKafka:
    def __init__(self, raises: KafkaError | None = None):
        self.sent: list[bytes] = []
        self.reports: list[Callable] = []
        self.raises = raises

    def produce(
        self, topic: str, value: bytes, key: bytes, *, headers: object, on_delivery: Callable
    ) -> None:
        if self.raises is not None:
            raise KafkaException(self.raises)
        self.sent.append(value)
        self.reports.append(on_delivery)

    def poll(self, timeout: float) -> int:
        return 0

    def __len__(self) -> int:
        return len(self.reports)

    def deliver(self, error: KafkaError | None = None) -> None:
        self.reports.pop(0)(error, None)


def event(payload: str = "{}") -> DueEvent:
    return DueEvent(str(uuid4()), str(uuid4()), payload)


def dispatcher(outbox: FakeOutbox, readback: FakeReadBack, kafka: FakeKafka) -> Dispatcher:
    return Dispatcher(outbox, readback, kafka, "orders", lambda: 0.0)  # type: ignore[arg-type]  # fakes


def test_due_rows_go_to_kafka() -> None:
    kafka = FakeKafka()
    assert dispatcher(FakeOutbox(event("a"), event("b")), FakeReadBack(), kafka).run_once() == 0
    assert kafka.sent == [b"a", b"b"]


def test_nothing_is_claimed_while_the_read_back_is_behind() -> None:
    outbox, readback, kafka = FakeOutbox(event()), FakeReadBack(staleness_s=MAX_STALENESS_S), FakeKafka()
    dispatcher(outbox, readback, kafka).run_once()
    assert kafka.sent == []
    assert outbox.has_due()
    assert readback.asked == 1


def test_an_idle_relay_asks_the_brokers_nothing() -> None:
    readback = FakeReadBack(staleness_s=float("inf"))
    assert dispatcher(FakeOutbox(), readback, FakeKafka()).run_once() == POLL_S
    assert readback.asked == 0


def test_rows_behind_others_are_looked_through_without_a_pause() -> None:
    assert dispatcher(FakeOutbox(blocked=7), FakeReadBack(), FakeKafka()).run_once() == 0


def test_what_kafka_refuses_for_good_is_parked() -> None:
    outbox, kafka, refused = FakeOutbox(event("a"), event("b")), FakeKafka(), KafkaError.MSG_SIZE_TOO_LARGE
    dispatcher(outbox, FakeReadBack(), kafka).run_once()
    kafka.deliver(KafkaError(refused, "too large"))
    kafka.deliver()
    assert list(outbox.parked.values()) == ["too large"]


def test_what_librdkafka_refuses_at_once_is_parked_too() -> None:
    outbox = FakeOutbox(event())
    kafka = FakeKafka(raises=KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    dispatcher(outbox, FakeReadBack(), kafka).run_once()
    assert list(outbox.parked.values()) == ["too large"]


@pytest.mark.parametrize(
    "unknown", [KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT, KafkaError._PURGE_QUEUE]
)
def test_an_unknown_outcome_is_left_to_the_lease(unknown: int) -> None:
    outbox, kafka = FakeOutbox(event()), FakeKafka()
    dispatcher(outbox, FakeReadBack(), kafka).run_once()
    kafka.deliver(KafkaError(unknown))
    assert outbox.parked == {}


def test_a_client_that_is_finished_ends_the_process() -> None:
    kafka = FakeKafka()
    dispatcher(FakeOutbox(event()), FakeReadBack(), kafka).run_once()
    with pytest.raises(KafkaException):
        kafka.deliver(KafkaError(KafkaError._FATAL, "fenced", fatal=True))


def test_what_is_in_flight_is_bounded() -> None:
    outbox, kafka = FakeOutbox(*(event() for _ in range(IN_FLIGHT + 1))), FakeKafka()
    busy = dispatcher(outbox, FakeReadBack(), kafka)
    for _ in range(20):
        busy.run_once()
    assert len(kafka.sent) == IN_FLIGHT
    kafka.deliver()
    busy.run_once()
    assert len(kafka.sent) == IN_FLIGHT + 1


def test_a_database_that_is_gone_is_waited_for() -> None:
    outbox, kafka = FakeOutbox(event("a")), FakeKafka()
    waiting = dispatcher(outbox, FakeReadBack(), kafka)
    outbox.away = True
    assert waiting.run_once() == POLL_S
    outbox.away = False
    waiting.run_once()
    assert kafka.sent == [b"a"]
