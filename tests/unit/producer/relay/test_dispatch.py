from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException
from sqlalchemy.exc import OperationalError

from producer.relay.dispatch import (
    CLEAN_UP,
    CLEAN_UP_EVERY_S,
    IN_FLIGHT,
    MAX_STALENESS_S,
    POLL_S,
    Dispatcher,
)
from producer.relay.outbox import DueEvent
from producer.relay.partitioner import partition_of
from tests.clock import FakeClock


class FakeOutbox:
    def __init__(self, *due: DueEvent, blocked: int = 0):
        self.due, self.blocked = list(due), blocked
        self.parked: dict[str, str] = {}
        self.held: list[str] = []
        self.expired_keys = 0
        self.away = False

    def claim(self, limit: int) -> tuple[list[DueEvent], int]:
        if self.away:
            raise OperationalError("SELECT", {}, Exception("away"))
        taken, self.due = self.due[:limit], self.due[limit:]
        return taken, self.blocked

    def has_due(self) -> bool:
        return bool(self.due)

    def delete_expired_keys(self, limit: int) -> int:
        deleted = min(limit, self.expired_keys)
        self.expired_keys -= deleted
        return deleted

    def hold(self, ids: Sequence[str]) -> None:
        self.held += ids

    def park(self, event_id: str, reason: str) -> None:
        self.parked[event_id] = reason


class FakeReadBack:
    def __init__(self, staleness_s: float = 0.0):
        self.stale, self.asked = {0: staleness_s, 1: staleness_s}, 0

    def staleness(self) -> dict[int, float]:
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


def dispatcher(
    outbox: FakeOutbox, readback: FakeReadBack, kafka: FakeKafka, single: FakeKafka | None = None
) -> Dispatcher:
    return Dispatcher(
        outbox, readback, kafka, "orders", FakeClock(0.0), new_single_producer=lambda: single  # type: ignore
    )  # fmt: skip


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


def test_event_that_kafka_refuses_alone_is_parked() -> None:
    outbox, kafka, single = FakeOutbox(event("a"), event("b")), FakeKafka(), FakeKafka()
    relay = dispatcher(outbox, FakeReadBack(), kafka, single)
    relay.run_once()
    kafka.deliver(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    kafka.deliver()
    assert outbox.parked == {}  # the broker judged the batch
    relay.run_once()
    assert single.sent == [b"a"]
    single.deliver(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    assert list(outbox.parked.values()) == ["too large"]


def test_innocent_events_of_a_refused_batch_are_sent_singly_and_not_parked() -> None:
    outbox, kafka, single = FakeOutbox(*(event(str(n)) for n in range(500))), FakeKafka(), FakeKafka()
    relay = dispatcher(outbox, FakeReadBack(), kafka, single)
    relay.run_once()
    for _ in range(500):
        kafka.deliver(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    relay.run_once()
    assert len(single.sent) == 500
    single.deliver(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    while single.reports:
        single.deliver()
    assert len(outbox.parked) == 1


def test_events_in_both_producers_are_in_flight() -> None:
    outbox, kafka, single = FakeOutbox(*(event() for _ in range(IN_FLIGHT + 1))), FakeKafka(), FakeKafka()
    relay = dispatcher(outbox, FakeReadBack(), kafka, single)
    for _ in range(20):
        relay.run_once()
    kafka.deliver(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    relay.run_once()
    relay.run_once()
    assert (len(kafka.reports), len(single.reports)) == (IN_FLIGHT - 1, 1)
    assert outbox.has_due()


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


def test_client_that_refuses_to_produce_as_it_is_finished_ends_the_process() -> None:
    """The error that `produce` raises then does not call itself fatal."""
    kafka = FakeKafka(raises=KafkaError(KafkaError._FATAL, "fenced"))
    with pytest.raises(KafkaException):
        dispatcher(FakeOutbox(event()), FakeReadBack(), kafka).run_once()


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


def test_only_orders_of_an_unreachable_partition_are_held(caplog: pytest.LogCaptureFixture) -> None:
    events = [event(str(n)) for n in range(100)]
    outbox, kafka, readback = FakeOutbox(*events), FakeKafka(), FakeReadBack()
    readback.stale = {0: 0.0, 1: MAX_STALENESS_S, 2: 0.0}
    relay = dispatcher(outbox, readback, kafka)
    relay.run_once()
    held = [each.id for each in events if partition_of(each.order_id, 3) == 1]
    assert outbox.held == held
    assert len(kafka.sent) == 100 - len(held)
    assert 0 < len(held) < 100
    assert readback.asked == 1
    relay.run_once()
    assert [record.getMessage() for record in caplog.records] == [
        "Holding the orders of partitions [1]: not read back"
    ]


def test_nothing_is_claimed_before_the_read_back_has_begun() -> None:
    outbox, kafka, readback = FakeOutbox(event()), FakeKafka(), FakeReadBack()
    readback.stale = {}
    assert dispatcher(outbox, readback, kafka).run_once() < POLL_S
    assert (kafka.sent, readback.asked) == ([], 1)


def test_expired_keys_are_deleted_at_any_rate() -> None:
    clock, outbox = FakeClock(0.0), FakeOutbox()
    relay = Dispatcher(
        outbox, FakeReadBack(), FakeKafka(), "orders", clock, new_single_producer=FakeKafka  # type: ignore
    )  # fmt: skip
    outbox.expired_keys = 10 * CLEAN_UP + 1
    relay.run_once()
    assert outbox.expired_keys == 10 * CLEAN_UP + 1  # a relay that starts has other things to do
    clock.now += CLEAN_UP_EVERY_S
    pauses = [relay.run_once() for _ in range(11)]
    assert outbox.expired_keys == 0
    assert pauses == [0] * 10 + [POLL_S]
    outbox.expired_keys = 5
    relay.run_once()
    assert outbox.expired_keys == 5
    clock.now += CLEAN_UP_EVERY_S
    relay.run_once()
    assert outbox.expired_keys == 0
