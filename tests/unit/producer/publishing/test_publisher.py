from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from confluent_kafka import KafkaError

from producer.domain.events import Event
from producer.publishing.breaker import Breaker, BreakerPolicy
from producer.publishing.produce import CLIENTS_OWN
from producer.publishing.publisher import Publisher
from tests.clock import FakeClock
from tests.unit.producer.fake_kafka import FakeProducer

GRACE, NO_GRACE = timedelta(seconds=6), timedelta(0)


class PublisherHarness:
    """A publisher on Kafka producers in memory.

    clients: the producers that it creates, one after the other. notifications: how often the relay was notified.
    """

    def __init__(
        self, *clients: FakeProducer, grace: timedelta | None = GRACE, captured: timedelta | None = None
    ) -> None:
        self.clock = FakeClock()
        self.notifications = 0
        breaker = Breaker(BreakerPolicy(failures=2), self.clock)
        unused = iter(clients)
        self.publisher = Publisher(
            lambda: next(unused), "orders", grace, breaker, self._notify_relay, self.clock, captured=captured
        )

    def _notify_relay(self) -> None:
        self.notifications += 1


def started(
    *clients: FakeProducer, grace: timedelta | None = GRACE, captured: timedelta | None = None
) -> PublisherHarness:
    """Return a harness whose publisher is started; the thread that polls has ended already."""
    harness = PublisherHarness(*clients, grace=grace, captured=captured)
    harness.publisher.start()
    harness.publisher.close()
    return harness


def event(payload: str = "{}") -> Event:
    return Event(uuid4(), "order.placed", uuid4(), 1, payload)


def test_permit_publishes_committed_events_to_kafka() -> None:
    kafka = FakeProducer()
    permit = started(kafka).publisher.request_permit()
    permit.publish([event("a"), event("b")])
    assert permit.grace == GRACE
    assert kafka.sent == [b"a", b"b"]


def test_event_goes_to_the_partition_of_the_layout_that_was_read_with_it() -> None:
    kafka = FakeProducer()
    started(kafka).publisher.request_permit().publish(
        [event(), replace(event(), partition=9), replace(event(), partition=0)]
    )
    assert kafka.partitions == [CLIENTS_OWN, 9, 0]


def test_permit_publishes_nothing_after_its_grace() -> None:
    kafka = FakeProducer()
    harness = started(kafka)
    permit = harness.publisher.request_permit()
    harness.clock.now += GRACE.total_seconds()
    permit.publish([event()])
    assert kafka.sent == []


def test_full_queue_leaves_the_remaining_events_to_the_relay() -> None:
    kafka = FakeProducer(room=1)
    started(kafka).publisher.request_permit().publish([event("a"), event("b")])
    assert kafka.sent == [b"a"]


def test_kafka_error_does_not_reach_the_request() -> None:
    kafka = FakeProducer(error=KafkaError(KafkaError._ALL_BROKERS_DOWN))
    started(kafka).publisher.request_permit().publish([event()])
    assert kafka.sent == []


def test_publisher_without_grace_leaves_every_event_to_the_relay() -> None:
    kafka = FakeProducer()
    harness = started(kafka, grace=None)
    permit = harness.publisher.request_permit()
    permit.publish([event()])
    assert permit.grace == NO_GRACE
    assert kafka.sent == []
    assert harness.notifications == 1


def test_events_that_debezium_captures_are_left_to_it_and_the_others_to_the_relay_at_once() -> None:
    kafka = FakeProducer()
    harness = started(kafka, grace=None, captured=timedelta(seconds=10))
    permit = harness.publisher.request_permit()
    assert permit.grace == timedelta(seconds=10)
    permit.publish([event(), event()])
    assert (kafka.sent, harness.notifications) == ([], 0)
    permit.publish([event(), replace(event(), direct=False)])
    assert (kafka.sent, harness.notifications) == ([], 1)


def test_publisher_leaves_every_event_to_the_relay_before_its_start() -> None:
    harness = PublisherHarness(FakeProducer())
    permit = harness.publisher.request_permit()
    permit.publish([event()])
    assert permit.grace == NO_GRACE
    assert harness.notifications == 1


def test_publisher_flushes_its_queue_on_close() -> None:
    kafka = FakeProducer()
    started(kafka)
    assert kafka.is_flushed


def test_event_that_may_not_go_directly_is_left_to_the_relay() -> None:
    kafka = FakeProducer()
    harness = started(kafka)
    harness.publisher.request_permit().publish([replace(event("b"), direct=False)])
    assert kafka.sent == []
    assert harness.notifications == 1


def test_relay_is_not_notified_of_a_direct_publish() -> None:
    harness = started(FakeProducer())
    harness.publisher.request_permit().publish([event()])
    assert harness.notifications == 0


def test_breaker_opens_when_kafka_acknowledges_nothing() -> None:
    kafka = FakeProducer()
    harness = started(kafka)
    harness.publisher.request_permit().publish([event(), event()])
    for _ in range(2):
        kafka.deliver(KafkaError(KafkaError._MSG_TIMED_OUT))
    assert harness.publisher.breaker.state == "open"
    permit = harness.publisher.request_permit()
    permit.publish([event()])
    assert permit.grace == NO_GRACE
    assert (len(kafka.sent), harness.notifications) == (2, 1)


def test_kafka_client_is_replaced_after_a_fatal_error() -> None:
    first, second = FakeProducer(), FakeProducer()
    publisher = PublisherHarness(first, second).publisher
    publisher.start()
    publisher.request_permit().publish([event("a")])
    first.deliver(KafkaError(KafkaError._FATAL, "fenced", fatal=True))
    publisher.request_permit().publish([event("b")])
    publisher.close()
    assert (first.sent, second.sent) == ([b"a"], [b"b"])
