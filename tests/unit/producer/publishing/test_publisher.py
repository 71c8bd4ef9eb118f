from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException

from producer.domain.events import Event
from producer.publishing.breaker import Breaker, BreakerPolicy
from producer.publishing.publisher import Publisher
from tests.clock import FakeClock

GRACE, NO_GRACE = timedelta(seconds=6), timedelta(0)


class FakeKafka:
    """Keeps what it is given; `room` is librdkafka's queue."""

    def __init__(self, room: int = 100, fails: KafkaError | None = None):
        self.sent: list[bytes] = []
        self.room, self.fails, self.flushed = room, fails, False
        self.reports: list[Callable] = []
        self.told = 0

    def relay_was_told(self) -> None:
        self.told += 1

    def produce(
        self, topic: str, value: bytes, key: bytes, *, headers: object, on_delivery: Callable
    ) -> None:
        if self.fails is not None:
            raise KafkaException(self.fails)
        if len(self.sent) >= self.room:
            raise BufferError
        self.sent.append(value)
        self.reports.append(on_delivery)

    def poll(self, timeout: float) -> int:
        return 0

    def flush(self, timeout: float) -> int:
        self.flushed = True
        return 0

    def __len__(self) -> int:
        return 0

    def list_topics(self, topic: str, timeout: float) -> None: ...


def started(kafka: FakeKafka, clock: FakeClock, grace: timedelta | None = GRACE) -> Publisher:
    breaker = Breaker(BreakerPolicy(failures=2), clock)
    publisher = Publisher(lambda: kafka, "orders", grace, breaker, kafka.relay_was_told, clock)
    publisher.start()
    publisher.close()
    return publisher


def event(payload: str = "{}") -> Event:
    return Event(uuid4(), "order.placed", uuid4(), 1, payload)


def test_what_was_committed_goes_to_kafka() -> None:
    kafka = FakeKafka()
    permit = started(kafka, FakeClock(100.0)).request_permit()
    permit.publish([event("a"), event("b")])
    assert permit.grace == GRACE
    assert kafka.sent == [b"a", b"b"]


def test_an_app_that_was_frozen_past_the_grace_sends_nothing() -> None:
    kafka, clock = FakeKafka(), FakeClock(100.0)
    permit = started(kafka, clock).request_permit()
    clock.now += GRACE.total_seconds()
    permit.publish([event()])
    assert kafka.sent == []


def test_a_full_queue_leaves_the_rest_to_the_relay() -> None:
    kafka = FakeKafka(room=1)
    started(kafka, FakeClock(100.0)).request_permit().publish([event("a"), event("b")])
    assert kafka.sent == [b"a"]


def test_an_error_of_kafka_does_not_reach_the_request() -> None:
    kafka = FakeKafka(fails=KafkaError(KafkaError._ALL_BROKERS_DOWN))
    started(kafka, FakeClock(100.0)).request_permit().publish([event()])
    assert kafka.sent == []


def test_publisher_relay_leaves_every_event_to_the_relay() -> None:
    kafka = FakeKafka()
    permit = started(kafka, FakeClock(100.0), grace=None).request_permit()
    permit.publish([event()])
    assert permit.grace == NO_GRACE
    assert kafka.sent == []
    assert kafka.told == 1


def test_before_the_start_every_event_is_the_relays() -> None:
    kafka, breaker = FakeKafka(), Breaker(BreakerPolicy())
    permit = Publisher(lambda: kafka, "orders", GRACE, breaker, kafka.relay_was_told).request_permit()
    permit.publish([event()])
    assert permit.grace == NO_GRACE
    assert kafka.told == 1


def test_closing_delivers_what_is_queued() -> None:
    kafka = FakeKafka()
    started(kafka, FakeClock(100.0))
    assert kafka.flushed


def test_what_may_not_go_direct_is_left_to_the_relay_which_is_told() -> None:
    kafka = FakeKafka()
    started(kafka, FakeClock(100.0)).request_permit().publish([replace(event("b"), direct=False)])
    assert kafka.sent == []
    assert kafka.told == 1


def test_what_goes_direct_needs_no_relay() -> None:
    kafka = FakeKafka()
    started(kafka, FakeClock(100.0)).request_permit().publish([event()])
    assert kafka.told == 0


def test_kafka_that_does_not_acknowledge_opens_the_breaker() -> None:
    kafka = FakeKafka()
    publisher = started(kafka, FakeClock(100.0))
    publisher.request_permit().publish([event(), event()])
    for report in kafka.reports:
        report(KafkaError(KafkaError._MSG_TIMED_OUT), None)
    assert publisher.breaker.state == "open"
    permit = publisher.request_permit()
    permit.publish([event()])
    assert permit.grace == NO_GRACE
    assert (len(kafka.sent), kafka.told) == (2, 1)


def test_a_client_that_is_finished_is_replaced() -> None:
    first, second = FakeKafka(), FakeKafka()
    clients = iter((first, second))
    publisher = Publisher(
        lambda: next(clients), "orders", GRACE, Breaker(BreakerPolicy()), lambda: None, FakeClock(100.0)
    )
    publisher.start()
    publisher.request_permit().publish([event("a")])
    first.reports[0](KafkaError(KafkaError._FATAL, "fenced", fatal=True), None)
    publisher.request_permit().publish([event("b")])
    publisher.close()
    assert (first.sent, second.sent) == ([b"a"], [b"b"])
