from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException

from producer.domain.partitioner import partition_of
from producer.relay.dispatch import (
    CLAIM,
    CLEAN_UP,
    CLEAN_UP_EVERY_S,
    IN_FLIGHT,
    POLL_S,
    PULL_IN,
    PULL_IN_EVERY_S,
    RETRY_S,
    Dispatcher,
)
from producer.relay.outbox import DueEvent
from tests.clock import FakeClock
from tests.unit.producer.fake_kafka import FakeProducer
from tests.unit.producer.relay.fake_outbox import FakeOutbox

MAX_STALENESS_S = 1.0  # as it is promised: imported, it could be anything


class FakeReadBack:
    """A DispatchReadBack whose knowledge has the given age. proofs_requested: how often a proof was asked for."""

    def __init__(self, staleness_s: float = 0.0):
        self.stale, self.proofs_requested = {0: staleness_s, 1: staleness_s}, 0

    def staleness(self) -> dict[int, float]:
        """Return the age of each partition's last proof."""
        return self.stale

    def request_proof(self) -> None:
        """Count the request."""
        self.proofs_requested += 1


def event(payload: str = "{}") -> DueEvent:
    return DueEvent(str(uuid4()), str(uuid4()), payload)


def dispatcher(
    outbox: FakeOutbox,
    readback: FakeReadBack,
    kafka: FakeProducer,
    single: FakeProducer | None = None,
    bulk: FakeProducer | None = None,
    clock: FakeClock | None = None,
) -> Dispatcher:
    singly = FakeProducer() if single is None else single  # one with nothing in flight is falsy
    return Dispatcher(
        outbox, readback, kafka, "orders", clock or FakeClock(),
        new_bulk_producer=lambda: FakeProducer() if bulk is None else bulk, new_single_producer=lambda: singly,
    )  # fmt: skip


def test_dispatcher_sends_due_rows_to_kafka() -> None:
    kafka = FakeProducer()
    assert dispatcher(FakeOutbox(event("a"), event("b")), FakeReadBack(), kafka).run_once() == 0
    assert kafka.sent == [b"a", b"b"]


def test_events_go_by_the_layout_that_was_read_with_the_claim() -> None:
    kafka = FakeProducer()
    events = [event()._replace(partitions=2) for _ in range(10)]
    dispatcher(FakeOutbox(*events), FakeReadBack(), kafka).run_once()
    assert kafka.partitions == [partition_of(each.order_id, 2) for each in events]


def test_events_name_their_partition_also_where_the_topic_has_never_grown() -> None:
    """Left to the client, one that was claimed before a growth and is sent during it may go to a new partition."""
    kafka = FakeProducer()
    events = [event() for _ in range(10)]
    dispatcher(FakeOutbox(*events), FakeReadBack(), kafka).run_once()
    assert kafka.partitions == [partition_of(each.order_id, 2) for each in events]


def test_orders_of_partitions_that_the_read_back_has_not_found_yet_are_held() -> None:
    """The topic has been given more of them a moment ago."""
    kafka = FakeProducer()
    outbox = FakeOutbox(*(event()._replace(partitions=4) for _ in range(40)))
    dispatcher(outbox, FakeReadBack(), kafka).run_once()
    assert set(kafka.partitions) == {0, 1}
    assert len(kafka.sent) + len(outbox.held) == 40


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


def test_event_that_kafka_refuses_alone_is_parked() -> None:
    outbox, kafka, single = FakeOutbox(event("a"), event("b")), FakeProducer(), FakeProducer()
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
    outbox, kafka, single = FakeOutbox(*(event(str(n)) for n in range(500))), FakeProducer(), FakeProducer()
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


def test_events_of_all_clients_are_in_flight() -> None:
    outbox, bulk, single = (
        FakeOutbox(*(event() for _ in range(IN_FLIGHT + CLAIM))),
        FakeProducer(),
        FakeProducer(),
    )
    relay = dispatcher(outbox, FakeReadBack(), FakeProducer(), single, bulk)
    for _ in range(20):
        relay.run_once()
    for _ in range(CLAIM // 2):
        bulk.deliver(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    relay.run_once()
    relay.run_once()
    assert (len(bulk.reports), len(single.reports)) == (IN_FLIGHT - CLAIM // 2, CLAIM // 2)
    assert len(outbox.due) == CLAIM


def test_event_that_librdkafka_refuses_at_once_is_parked() -> None:
    outbox = FakeOutbox(event())
    kafka = FakeProducer(error=KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    dispatcher(outbox, FakeReadBack(), kafka).run_once()
    assert list(outbox.parked.values()) == ["too large"]


@pytest.mark.parametrize(
    "unknown", [KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT, KafkaError._PURGE_QUEUE]
)
def test_event_with_an_unknown_outcome_is_left_to_its_lease(unknown: int) -> None:
    outbox, kafka, single = FakeOutbox(event()), FakeProducer(), FakeProducer()
    relay = dispatcher(outbox, FakeReadBack(), kafka, single)
    relay.run_once()
    kafka.deliver(KafkaError(unknown))
    relay.run_once()
    assert (outbox.parked, single.sent) == ({}, [])


def test_fatal_kafka_error_ends_the_relay() -> None:
    kafka = FakeProducer()
    dispatcher(FakeOutbox(event()), FakeReadBack(), kafka).run_once()
    with pytest.raises(KafkaException):
        kafka.deliver(KafkaError(KafkaError._FATAL, "fenced", fatal=True))


def test_full_claim_goes_through_the_client_for_a_backlog() -> None:
    outbox, kafka, bulk = (
        FakeOutbox(*(event(str(n)) for n in range(CLAIM + 2))),
        FakeProducer(),
        FakeProducer(),
    )
    relay = Dispatcher(
        outbox, FakeReadBack(), kafka, "orders", FakeClock(),
        new_bulk_producer=lambda: bulk, new_single_producer=FakeProducer,
    )  # fmt: skip
    relay.run_once()
    assert (len(bulk.sent), kafka.sent) == (CLAIM, [])
    relay.run_once()
    assert (len(bulk.sent), kafka.sent) == (CLAIM, [b"%d" % CLAIM, b"%d" % (CLAIM + 1)])
    relay.flush(1)
    assert kafka.is_flushed
    assert bulk.is_flushed


def test_no_row_is_claimed_until_there_is_room_for_many() -> None:
    """A claim of a few rows costs the database as much as one of many."""
    outbox, bulk = FakeOutbox(*(event() for _ in range(20))), FakeProducer()
    relay = Dispatcher(
        outbox, FakeReadBack(), FakeProducer(), "orders", FakeClock(),
        new_bulk_producer=lambda: bulk, new_single_producer=FakeProducer, in_flight=8,
    )  # fmt: skip
    relay.run_once()
    for _ in range(3):
        bulk.deliver()
    relay.run_once()
    assert len(bulk.sent) == 8
    bulk.deliver()
    relay.run_once()
    assert len(bulk.sent) == 12


def test_no_more_is_claimed_than_the_clients_queue_holds() -> None:
    """A row that is claimed and not queued would wait for the end of its lease."""
    outbox, bulk = FakeOutbox(*(event() for _ in range(10))), FakeProducer(room=3)
    relay = Dispatcher(
        outbox, FakeReadBack(), FakeProducer(), "orders", FakeClock(),
        new_bulk_producer=lambda: bulk, new_single_producer=FakeProducer, in_flight=3,
    )  # fmt: skip
    relay.run_once()
    relay.run_once()
    assert (len(bulk.sent), len(outbox.due)) == (3, 7)


def test_row_that_finds_the_queue_full_waits_for_the_end_of_its_lease() -> None:
    outbox, kafka = FakeOutbox(event("a"), event("b")), FakeProducer(room=1)
    relay = dispatcher(outbox, FakeReadBack(), kafka)
    relay.run_once()
    assert (kafka.sent, outbox.parked) == ([b"a"], {})
    kafka.deliver()
    relay.run_once()
    assert kafka.sent == [b"a"]


def test_client_that_refuses_to_produce_as_it_is_finished_ends_the_process() -> None:
    """The error that `produce` raises then does not call itself fatal."""
    kafka = FakeProducer(error=KafkaError(KafkaError._FATAL, "fenced"))
    with pytest.raises(KafkaException):
        dispatcher(FakeOutbox(event()), FakeReadBack(), kafka).run_once()


def test_events_in_flight_are_bounded() -> None:
    outbox, bulk = FakeOutbox(*(event() for _ in range(IN_FLIGHT + CLAIM))), FakeProducer()
    busy = dispatcher(outbox, FakeReadBack(), FakeProducer(), bulk=bulk)
    for _ in range(20):
        busy.run_once()
    assert len(bulk.sent) == IN_FLIGHT
    for _ in range(CLAIM // 2):
        bulk.deliver()
    busy.run_once()
    assert len(bulk.sent) == IN_FLIGHT + CLAIM // 2


def test_dispatcher_waits_for_a_database_that_does_not_answer() -> None:
    outbox, kafka = FakeOutbox(event("a")), FakeProducer()
    waiting = dispatcher(outbox, FakeReadBack(), kafka)
    outbox.is_down = True
    assert waiting.run_once() == POLL_S
    outbox.is_down = False
    waiting.run_once()
    assert kafka.sent == [b"a"]


def test_only_orders_of_an_unreachable_partition_are_held(caplog: pytest.LogCaptureFixture) -> None:
    events = [event(str(n)) for n in range(100)]
    outbox, kafka, readback = FakeOutbox(*events), FakeProducer(), FakeReadBack()
    readback.stale = {0: 0.0, 1: MAX_STALENESS_S, 2: 0.0}
    relay = dispatcher(outbox, readback, kafka)
    relay.run_once()
    held = [each.id for each in events if partition_of(each.order_id, 3) == 1]
    assert outbox.held == held
    assert outbox.held_for_s == [1.0]
    assert len(kafka.sent) == 100 - len(held)
    assert 0 < len(held) < 100
    assert readback.proofs_requested == 1
    relay.run_once()
    assert [record.getMessage() for record in caplog.records] == [
        "Holding the orders of partitions [1]: not read back"
    ]


@pytest.mark.parametrize(("away_s", "held_s"), [(2.0, 1.0), (40.0, 10.0), (1000.0, 60.0)])
@pytest.mark.parametrize("stale_s", [2.0, float("inf")])  # endless: not proven since the relay began
def test_orders_are_held_the_longer_the_longer_their_partition_is_away(
    away_s: float, held_s: float, stale_s: float
) -> None:
    outbox, readback, clock = FakeOutbox(), FakeReadBack(), FakeClock()
    relay = dispatcher(outbox, readback, FakeProducer(), clock=clock)
    readback.stale = {0: 0.0, 1: stale_s}
    outbox.due = [event(str(n)) for n in range(20)]
    relay.run_once()
    clock.now += away_s
    outbox.due = [event(str(n)) for n in range(20)]
    relay.run_once()
    readback.stale = {0: 0.0, 1: 0.0}
    relay.run_once()
    readback.stale = {0: 0.0, 1: stale_s}
    outbox.due = [event(str(n)) for n in range(20)]
    relay.run_once()
    assert outbox.held_for_s == [1.0, held_s, 1.0]


def test_partition_that_has_just_gone_is_not_held_as_long_as_one_that_is_away_for_long() -> None:
    outbox, readback, clock = FakeOutbox(), FakeReadBack(), FakeClock()
    relay = dispatcher(outbox, readback, FakeProducer(), clock=clock)
    readback.stale = {0: 0.0, 1: 2.0, 2: 0.0}
    relay.run_once()
    clock.now += 400
    readback.stale = {0: 0.0, 1: 400.0, 2: 2.0}
    outbox.due = [event(str(n)) for n in range(60)]
    relay.run_once()
    assert sorted(outbox.held_for_s) == [1.0, 60.0]


def test_time_of_an_outage_of_all_partitions_is_not_held_against_those_that_come_back_later() -> None:
    outbox, readback, clock = FakeOutbox(), FakeReadBack(), FakeClock()
    relay = dispatcher(outbox, readback, FakeProducer(), clock=clock)
    readback.stale = {0: 0.0, 1: 2.0}
    relay.run_once()
    readback.stale = {0: 2.0, 1: 2.0}
    relay.run_once()
    clock.now += 3600
    readback.stale = {0: 0.0, 1: 3600.0}
    outbox.due = [event(str(n)) for n in range(20)]
    relay.run_once()
    assert outbox.held_for_s == [1.0]


def test_event_that_kafka_did_not_acknowledge_is_due_again_before_its_lease_ends() -> None:
    first, second = event("a"), event("b")
    outbox, kafka = FakeOutbox(first, second), FakeProducer()
    relay = dispatcher(outbox, FakeReadBack(), kafka)
    relay.run_once()
    kafka.deliver(KafkaError(KafkaError._MSG_TIMED_OUT))
    relay.run_once()
    assert outbox.retried == {first.id: RETRY_S}
    outbox.retried.clear()
    relay.run_once()
    assert outbox.retried == {}


def test_nothing_is_claimed_before_the_read_back_has_begun() -> None:
    outbox, kafka, readback = FakeOutbox(event()), FakeProducer(), FakeReadBack()
    readback.stale = {}
    assert dispatcher(outbox, readback, kafka).run_once() < POLL_S
    assert (kafka.sent, readback.proofs_requested) == ([], 1)


def test_expired_keys_are_deleted_at_any_rate() -> None:
    clock, outbox = FakeClock(0.0), FakeOutbox()
    relay = Dispatcher(
        outbox,
        FakeReadBack(),
        FakeProducer(),
        "orders",
        clock,
        new_bulk_producer=FakeProducer,
        new_single_producer=FakeProducer,
    )
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


def test_rows_dated_far_ahead_are_pulled_in_at_any_rate(caplog: pytest.LogCaptureFixture) -> None:
    clock, outbox = FakeClock(0.0), FakeOutbox()
    relay = Dispatcher(
        outbox,
        FakeReadBack(),
        FakeProducer(),
        "orders",
        clock,
        new_bulk_producer=FakeProducer,
        new_single_producer=FakeProducer,
    )
    outbox.far_ahead = 2 * PULL_IN + 1
    assert relay.run_once() == POLL_S
    clock.now += PULL_IN_EVERY_S
    assert [relay.run_once() for _ in range(4)] == [0, 0, 0, POLL_S]
    assert outbox.far_ahead == 0
    assert [record.getMessage() for record in caplog.records][-1] == (
        "1 events were dated far ahead: has the clock been set back? Due now"
    )
    outbox.far_ahead = 1
    assert relay.run_once() == POLL_S
    clock.now += PULL_IN_EVERY_S
    assert relay.run_once() == 0


def fail_for(
    seconds: float, every_s: float, readback: FakeReadBack, code: int = KafkaError._MSG_TIMED_OUT
) -> None:
    """Let a relay's deliveries fail, one after the other."""
    clock, outbox, kafka = FakeClock(), FakeOutbox(), FakeProducer()
    relay = dispatcher(outbox, readback, kafka, clock=clock)
    for _ in range(int(seconds / every_s) + 1):
        outbox.due = [event("a")]
        relay.run_once()
        kafka.deliver(KafkaError(code))
        clock.now += every_s
        relay.run_once()


def test_client_that_delivers_nothing_while_leaders_answer_ends_the_process() -> None:
    fail_for(29, 7, FakeReadBack())
    with pytest.raises(KafkaException, match="while their leaders answer"):
        fail_for(35, 7, FakeReadBack())


def test_client_that_fails_now_and_then_is_kept() -> None:
    fail_for(600, 11, FakeReadBack())


def test_client_is_kept_while_no_leader_answers() -> None:
    """What was handed over before may fail for as long as it takes."""
    readback = FakeReadBack()
    clock, kafka = FakeClock(), FakeProducer()
    relay = dispatcher(FakeOutbox(*(event(str(n)) for n in range(9))), readback, kafka, clock=clock)
    relay.run_once()
    readback.stale = {0: 60.0, 1: 60.0}
    for _ in range(9):
        kafka.deliver(KafkaError(KafkaError._MSG_TIMED_OUT))
        clock.now += 7
        relay.run_once()


def test_refused_event_is_no_sign_of_a_client_that_is_stuck() -> None:
    fail_for(60, 7, FakeReadBack(), KafkaError.MSG_SIZE_TOO_LARGE)
