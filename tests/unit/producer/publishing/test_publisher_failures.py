"""A Kafka client that fails for good, and what the breaker is told."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException

from producer.domain.events import Event
from producer.publishing.breaker import Breaker, BreakerPolicy
from producer.publishing.publisher import STUCK_S, Publisher
from tests.clock import FakeClock
from tests.eventually import eventually
from tests.unit.producer.fake_kafka import FakeProducer

GRACE = timedelta(seconds=6)
POLICY = BreakerPolicy(failures=2, open_s=5.0, probe_s=6.0)


class Kafka:
    """Creates the publisher's clients and keeps them."""

    def __init__(self) -> None:
        self.clients: list[FakeProducer] = []
        self.is_broken = False
        self.new: Callable[[], FakeProducer] = partial(FakeProducer, acknowledges=True)

    def __call__(self) -> FakeProducer:
        if self.is_broken:
            raise KafkaException(KafkaError(KafkaError._CRIT_SYS_RESOURCE, "no thread left"))
        self.clients.append(self.new())
        return self.clients[-1]


@pytest.fixture
def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def publisher(kafka: Kafka, clock: FakeClock) -> Iterator[Publisher]:
    publisher = Publisher(kafka, "orders", GRACE, Breaker(POLICY, clock), lambda: None, clock)
    publisher.start()
    yield publisher
    publisher.close()


def event(payload: str = "{}") -> Event:
    return Event(uuid4(), "order.placed", uuid4(), 1, payload)


def publish(publisher: Publisher, *events: Event) -> None:
    with publisher.request_permit() as permit:
        permit.publish(list(events or [event()]))


def open_the_breaker(publisher: Publisher) -> None:
    permit = publisher.breaker.permit()
    assert permit is not None
    for _ in range(POLICY.failures):
        publisher.breaker.failed(permit)
    assert publisher.breaker.state == "open"


def test_fatal_error_replaces_the_client_and_reports_are_served_again(
    publisher: Publisher, kafka: Kafka, clock: FakeClock
) -> None:
    kafka.clients[0].fail_for_good()
    eventually(lambda: len(kafka.clients) == 2)
    publish(publisher, event("after"))
    assert kafka.clients[1].sent == [b"after"]
    eventually(lambda: len(kafka.clients[1]) == 0)
    clock.now += 60
    kafka.clients[1].fail_for_good()
    eventually(lambda: len(kafka.clients) == 3)


def test_client_is_replaced_once_however_many_threads_meet_the_error(kafka: Kafka, clock: FakeClock) -> None:
    breaker = Breaker(BreakerPolicy(failures=1000), clock)
    publisher = Publisher(kafka, "orders", GRACE, breaker, lambda: None, clock)
    publisher.start()
    publish(publisher, event())
    together = threading.Barrier(8)

    def hit(_: int) -> None:
        together.wait(10)
        publish(publisher)

    kafka.clients[0].fail_for_good()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hit, range(8)))
    eventually(lambda: len(kafka.clients) == 2)
    publish(publisher, event("after"))
    publisher.close()
    assert len(kafka.clients) == 2
    assert kafka.clients[1].sent[-1] == b"after"


def test_produce_that_raises_fatal_counts_as_a_failure_and_replaces_the_client(
    kafka: Kafka, clock: FakeClock
) -> None:
    """Without the poller: as if it were a moment late."""
    publisher = Publisher(kafka, "orders", GRACE, Breaker(POLICY, clock), lambda: None, clock)
    publisher._producer = kafka()
    kafka.clients[0].fail_for_good()
    publish(publisher)
    assert len(kafka.clients) == 2
    kafka.clients[1].fail_for_good()
    publish(publisher)
    assert publisher.breaker.state == "open"


def test_clients_that_fail_at_once_are_replaced_once_a_second(kafka: Kafka, clock: FakeClock) -> None:
    breaker = Breaker(BreakerPolicy(failures=1000), clock)
    publisher = Publisher(kafka, "orders", GRACE, breaker, lambda: None, clock)
    publisher._producer = kafka()
    for _ in range(5):
        kafka.clients[-1].fail_for_good()
        publish(publisher)
    assert len(kafka.clients) == 2
    clock.now += 1
    publish(publisher)
    assert len(kafka.clients) == 3


def test_client_that_cannot_be_created_does_not_reach_the_request(kafka: Kafka, clock: FakeClock) -> None:
    breaker = Breaker(BreakerPolicy(failures=1000), clock)
    publisher = Publisher(kafka, "orders", GRACE, breaker, lambda: None, clock)
    publisher._producer = kafka()
    kafka.clients[0].fail_for_good()
    kafka.is_broken = True
    publish(publisher)
    kafka.is_broken = False
    clock.now += 1
    publish(publisher)
    publish(publisher, event("after"))
    assert kafka.clients[1].sent == [b"after"]


def test_poller_survives_an_unexpected_error(kafka: Kafka, clock: FakeClock) -> None:
    class Stumbling(FakeProducer):
        polls = 0

        def poll(self, timeout: float) -> int:
            self.polls += 1
            if self.polls == 1:
                raise RuntimeError("unexpected")
            return super().poll(timeout)

    kafka.new = partial(Stumbling, acknowledges=True)
    publisher = Publisher(kafka, "orders", GRACE, Breaker(POLICY, clock), lambda: None, clock)
    publisher.start()
    publish(publisher)
    eventually(lambda: len(kafka.clients[0]) == 0)
    publisher.close()
    assert len(kafka.clients) == 1


def test_closing_an_unusable_client_raises_nothing(kafka: Kafka, clock: FakeClock) -> None:
    publisher = Publisher(kafka, "orders", GRACE, Breaker(POLICY, clock), lambda: None, clock)
    publisher.start()
    publisher._stop.set()
    assert publisher._poller is not None
    publisher._poller.join(5)
    kafka.clients[0].fail_for_good()
    publisher.close()
    assert len(kafka.clients) == 1


def test_full_queue_counts_as_a_failure(kafka: Kafka, clock: FakeClock) -> None:
    kafka.new = lambda: FakeProducer(room=0)
    publisher = Publisher(kafka, "orders", GRACE, Breaker(POLICY, clock), lambda: None, clock)
    publisher.start()
    states = []
    for _ in range(2):
        publish(publisher)
        states.append(publisher.breaker.state)
    assert states == ["closed", "open"]
    publisher.close()


def test_acknowledged_probe_closes_the_breaker(publisher: Publisher, clock: FakeClock) -> None:
    open_the_breaker(publisher)
    clock.now += POLICY.open_s
    publish(publisher)
    eventually(lambda: publisher.breaker.state == "closed")


# --- A client that delivers nothing to a partition is stuck

TIMED_OUT = KafkaError(KafkaError._MSG_TIMED_OUT)


@pytest.fixture
def silent(kafka: Kafka, clock: FakeClock) -> Publisher:
    """A publisher without its poller, whose clients report when the test says so; its breaker never opens."""
    kafka.new = FakeProducer
    breaker = Breaker(BreakerPolicy(failures=1000), clock)
    publisher = Publisher(kafka, "orders", GRACE, breaker, lambda: None, clock)
    publisher._producer = kafka()
    return publisher


def test_client_that_delivers_nothing_to_a_partition_is_replaced(
    silent: Publisher, kafka: Kafka, clock: FakeClock
) -> None:
    for _ in range(10):
        assert len(kafka.clients) == 1
        publish(silent, event(), event())
        kafka.clients[0].deliver(partition=1)
        kafka.clients[0].deliver(TIMED_OUT, partition=0)
        clock.now += STUCK_S / 9
    assert len(kafka.clients) == 2


def test_client_that_delivers_now_and_then_is_kept(silent: Publisher, kafka: Kafka, clock: FakeClock) -> None:
    for number in range(30):
        publish(silent)
        kafka.clients[0].deliver(TIMED_OUT if number % 5 else None, partition=0)
        clock.now += STUCK_S / 9
    assert len(kafka.clients) == 1


def test_new_client_has_its_own_time(silent: Publisher, kafka: Kafka, clock: FakeClock) -> None:
    """Nor do late reports of the replaced one count against it."""
    publish(silent, event(), event(), event())
    kafka.clients[0].deliver(TIMED_OUT, partition=0)
    clock.now += STUCK_S
    kafka.clients[0].deliver(TIMED_OUT, partition=0)
    assert len(kafka.clients) == 2
    kafka.clients[0].deliver(TIMED_OUT, partition=0)
    clock.now += STUCK_S
    publish(silent)
    kafka.clients[1].deliver(TIMED_OUT, partition=0)
    assert len(kafka.clients) == 2


def test_failures_before_a_partition_was_known_are_forgotten_at_a_success(
    silent: Publisher, kafka: Kafka, clock: FakeClock
) -> None:
    for error, partition in ((TIMED_OUT, None), (None, 0), (TIMED_OUT, None)):
        publish(silent)
        kafka.clients[0].deliver(error, partition)
        clock.now += STUCK_S
    assert len(kafka.clients) == 1


def test_what_a_replaced_client_leaves_behind_does_not_open_the_breaker(
    kafka: Kafka, clock: FakeClock
) -> None:
    kafka.new = FakeProducer
    publisher = Publisher(kafka, "orders", GRACE, Breaker(POLICY, clock), lambda: None, clock)
    publisher._producer = kafka()
    publish(publisher, *(event() for _ in range(POLICY.failures + 2)))
    kafka.clients[0].deliver(KafkaError(KafkaError._FATAL, "fenced", fatal=True))
    assert len(kafka.clients) == 2
    while len(kafka.clients[0]):
        kafka.clients[0].deliver(TIMED_OUT)
    assert publisher.breaker.state == "closed"


def test_replaced_client_is_polled_until_it_has_told_everything(
    publisher: Publisher, kafka: Kafka, clock: FakeClock
) -> None:
    """Its reports hold on to it: unserved, it would keep its threads and connections for ever."""
    kafka.clients[0]._acknowledges = False
    publish(publisher, event(), event())
    kafka.clients[0].fail_for_good()
    eventually(lambda: len(kafka.clients) == 2)
    eventually(lambda: not len(kafka.clients[0]))
    assert publisher._replaced, "a request may be about to use it"
    clock.now += GRACE.total_seconds() + 0.1
    eventually(lambda: not publisher._replaced)


# --- A probe that publishes nothing is given back (P13)


def half_open(publisher: Publisher, clock: FakeClock) -> None:
    open_the_breaker(publisher)
    clock.now += POLICY.open_s
    assert publisher.breaker.state == "half-open"


def test_probe_of_a_request_that_fails_is_given_back(publisher: Publisher, clock: FakeClock) -> None:
    half_open(publisher, clock)
    with suppress(LookupError), publisher.request_permit():
        assert publisher.breaker.permit() is None
        raise LookupError
    assert publisher.breaker.state == "half-open"
    assert publisher.breaker.permit() is not None


def test_probe_of_a_request_that_publishes_nothing_is_given_back(
    publisher: Publisher, clock: FakeClock
) -> None:
    half_open(publisher, clock)
    with publisher.request_permit():
        pass
    assert publisher.breaker.permit() is not None


def test_probe_whose_events_are_the_relays_is_given_back(publisher: Publisher, clock: FakeClock) -> None:
    half_open(publisher, clock)
    with publisher.request_permit() as permit:
        permit.publish([Event(uuid4(), "order.confirmed", uuid4(), 2, "{}", direct=False)])
    assert publisher.breaker.permit() is not None


def test_probe_that_came_too_late_is_given_back(publisher: Publisher, clock: FakeClock) -> None:
    half_open(publisher, clock)
    with publisher.request_permit() as permit:
        clock.now += GRACE.total_seconds() - 0.5
        assert publisher.breaker.permit() is None
        clock.now += 0.5
        permit.publish([event()])
    assert publisher.breaker.permit() is not None


def test_probe_that_is_on_its_way_is_not_given_back(kafka: Kafka, clock: FakeClock) -> None:
    kafka.new = FakeProducer
    publisher = Publisher(kafka, "orders", GRACE, Breaker(POLICY, clock), lambda: None, clock)
    publisher.start()
    half_open(publisher, clock)
    publish(publisher)
    assert publisher.breaker.permit() is None
    clock.now += POLICY.probe_s
    assert publisher.breaker.permit() is not None
    publisher.close()


def test_permit_given_back_by_a_closed_breaker_changes_nothing(publisher: Publisher) -> None:
    with publisher.request_permit():
        pass
    assert publisher.breaker.state == "closed"
    assert publisher.breaker.permit() is not None


def test_late_give_back_does_not_end_a_newer_probe(clock: FakeClock) -> None:
    breaker = Breaker(POLICY, clock)
    permit = breaker.permit()
    assert permit is not None
    for _ in range(POLICY.failures):
        breaker.failed(permit)
    clock.now += POLICY.open_s
    first = breaker.permit()
    assert first is not None
    clock.now += POLICY.probe_s
    assert breaker.permit() is not None
    breaker.release(first)
    assert breaker.permit() is None
