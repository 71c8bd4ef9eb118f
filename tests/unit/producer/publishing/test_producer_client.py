"""What our Kafka client does, asked of the fake and of the real one (on librdkafka's mock cluster) alike."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from producer.config import Settings
from producer.domain.events import Event
from producer.publishing.breaker import Breaker, BreakerPolicy
from producer.publishing.kafka import (
    admin_settings,
    bulk_producer_settings,
    consumer_settings,
    ledger_consumer_settings,
    producer_settings,
    relay_producer_settings,
    single_producer_settings,
)
from producer.publishing.publisher import Publisher
from tests import librdkafka
from tests.eventually import eventually
from tests.unit.producer.fake_kafka import FakeProducer

SETTINGS = Settings(
    database_url="postgresql://u:p@127.0.0.1:1/d", kafka_bootstrap_servers="127.0.0.1:1", publish_queue=3
)
MOCK = {"test.mock.num.brokers": 1, "log_level": 0}


class RealProducer(Producer):
    """The real client, with a cluster of its own inside librdkafka."""

    def __init__(self) -> None:
        super().__init__(producer_settings(SETTINGS) | MOCK)

    def fail_for_good(self) -> None:
        librdkafka.fail_for_good(self)


Client = FakeProducer | RealProducer
Reports = list[KafkaError | None]


@pytest.fixture(params=["fake", "real"])
def new_client(request: pytest.FixtureRequest) -> Callable[[], Client]:
    return RealProducer if request.param == "real" else lambda: FakeProducer(room=3, acknowledges=True)


@pytest.fixture
def client(new_client: Callable[[], Client]) -> Client:
    return new_client()


def produce(client: Client, reports: Reports) -> None:
    client.produce(
        "orders", b"{}", b"key", headers=[], on_delivery=lambda error, message: reports.append(error)
    )


def poll(client: Client) -> bool:
    client.poll(0.2)
    return True


def test_delivery_is_reported_by_poll(client: Client) -> None:
    reports: Reports = []
    produce(client, reports)
    assert len(client) == 1
    eventually(lambda: poll(client) and reports)
    assert reports == [None]
    assert len(client) == 0


def test_delivery_is_reported_by_flush(client: Client) -> None:
    reports: Reports = []
    produce(client, reports)
    assert client.flush(10) == 0
    assert reports == [None]


def test_full_queue_raises_buffer_error_until_reports_are_served(client: Client) -> None:
    for _ in range(3):
        produce(client, [])
    with pytest.raises(BufferError):
        produce(client, [])
    assert client.flush(10) == 0
    produce(client, [])


def test_fatal_error_is_raised_by_the_next_poll_and_only_by_that(client: Client) -> None:
    client.fail_for_good()
    with pytest.raises(KafkaException) as raised:
        client.poll(5)
    error = raised.value.args[0]
    assert error.fatal()
    assert error.code() == KafkaError.INVALID_PRODUCER_EPOCH
    client.poll(0.1)
    assert client.flush(1) == 0


def test_after_a_fatal_error_produce_raises_one_that_does_not_call_itself_fatal(client: Client) -> None:
    client.fail_for_good()
    for _ in range(2):
        with pytest.raises(KafkaException) as raised:
            produce(client, [])
        assert raised.value.args[0].code() == KafkaError._FATAL
        assert not raised.value.args[0].fatal()


def test_fatal_error_that_no_poll_has_told_is_raised_by_flush(client: Client) -> None:
    client.fail_for_good()
    with pytest.raises(KafkaException) as raised:
        client.flush(1)
    assert raised.value.args[0].fatal()


def test_publisher_replaces_the_client_once_and_goes_on(new_client: Callable[[], Client]) -> None:
    clients: list[Client] = []

    def create() -> Client:
        clients.append(new_client())
        return clients[-1]

    breaker = Breaker(BreakerPolicy(failures=1000))
    publisher = Publisher(create, "orders", timedelta(seconds=60), breaker, lambda: None)
    publisher.start()
    clients[0].fail_for_good()
    eventually(lambda: len(clients) == 2)
    with publisher.request_permit() as permit:
        permit.publish([Event(uuid4(), "order.placed", uuid4(), 1, "{}")])
    eventually(lambda: len(clients[1]) == 0)
    assert "delivery-reports" in {thread.name for thread in threading.enumerate()}
    publisher.close()
    assert len(clients) == 2


# --- The settings that promises rest on, as librdkafka has them


@pytest.mark.parametrize(
    ("settings", "others"),
    [
        (producer_settings, {"linger.ms": "1"}),
        (relay_producer_settings, {"linger.ms": "5"}),
        (bulk_producer_settings, {"linger.ms": "50"}),
        (single_producer_settings, {"linger.ms": "0", "batch.num.messages": "1"}),
    ],
)
def test_producer_is_durable_and_bounded_and_partitions_as_java_does(
    settings: Callable[[Settings], dict[str, Any]], others: dict[str, str]
) -> None:
    client = Producer(settings(SETTINGS) | MOCK)
    wanted = {
        "acks": "-1",
        "enable.idempotence": "true",
        "max.in.flight.requests.per.connection": "5",
        "message.send.max.retries": "2147483647",
        "partitioner": "murmur2_random",
        "delivery.timeout.ms": "5000",
        "request.timeout.ms": "2000",
        "socket.timeout.ms": "3000",
        "queue.buffering.max.messages": "3",
        "queue.buffering.max.kbytes": "65536",
    } | others
    assert {name: librdkafka.setting(client, name) for name in wanted} == wanted


def test_delivery_timeout_is_that_of_the_settings() -> None:
    """The relay counts on it: after its grace, no direct publish of an event is on its way any more."""
    client = Producer(producer_settings(SETTINGS.model_copy(update={"publish_timeout_s": 1.5})) | MOCK)
    assert librdkafka.setting(client, "delivery.timeout.ms") == "1500"


@pytest.mark.parametrize(
    ("settings", "successes"),
    [(producer_settings, [None]), (relay_producer_settings, []), (bulk_producer_settings, [])],
)
def test_successes_are_reported_to_the_web_process_only(
    settings: Callable[[Settings], dict[str, Any]], successes: Reports
) -> None:
    """Its breaker closes by them; to the relay the read-back tells what is in Kafka."""
    client, reports = Producer(settings(SETTINGS) | MOCK), Reports()
    client.produce("orders", b"{}", b"key", on_delivery=lambda error, message: reports.append(error))
    assert client.flush(10) == 0
    assert reports == successes


@pytest.mark.parametrize(
    ("settings", "begins"), [(consumer_settings, "error"), (ledger_consumer_settings, "smallest")]
)
def test_reader_commits_nothing_and_is_given_only_what_is_committed(
    settings: Callable[[Settings], dict[str, Any]], begins: str
) -> None:
    """begins: the read-back must not skip what its offset no longer finds; the ledger takes what retention leaves."""
    client = Consumer(settings(SETTINGS) | {"log_level": 0})
    wanted = {
        "auto.offset.reset": begins,
        "isolation.level": "read_committed",
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "enable.partition.eof": "true",
        "fetch.wait.max.ms": "100",
        "fetch.min.bytes": "65536",
        "queued.max.messages.kbytes": "16384",
        "socket.timeout.ms": "3000",
    }
    try:
        assert {name: librdkafka.setting(client, name) for name in wanted} == wanted
    finally:
        client.close()


def test_admin_waits_for_a_frozen_broker_as_long_as_the_others() -> None:
    client = AdminClient(admin_settings(SETTINGS) | {"log_level": 0})
    assert librdkafka.setting(client, "socket.timeout.ms") == "3000"
