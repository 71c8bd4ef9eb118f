"""The relay on a topic where others write, transact, add partitions or allow only small batches."""

import ctypes
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import confluent_kafka
import pytest
import sqlalchemy as sa
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)
from flask.testing import FlaskClient

from producer.config import Settings
from producer.domain.partitioner import partition_of
from producer.publishing.kafka import admin_settings, producer_settings
from producer.publishing.produce import produce_event
from tests.eventually import eventually
from tests.integration.producer.conftest import TopicMessages

ORDER = {"customer_name": "Zoë", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
StartRelay = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def admin(settings: Settings) -> AdminClient:
    return AdminClient(admin_settings(settings))


@pytest.fixture
def rows(scalar: Callable[[str], Any]) -> Callable[[], int]:
    return lambda: scalar("SELECT count(*) FROM outbox")


@pytest.fixture
def relay_log(tmp_path: Path) -> Callable[[], str]:
    return (tmp_path / "relay.log").read_text


def test_partition_of_an_order_is_the_one_that_kafka_has_it_in(settings: Settings, topic: str) -> None:
    """Golden values from the real client: the relay holds the orders of an unreachable partition by it."""
    producer, found = Producer(producer_settings(settings)), {}
    for order in [str(uuid4()) for _ in range(300)]:

        def on_delivery(error: Any, message: Any, order: str = order) -> None:
            found[order] = message.partition()

        producer.produce(topic, b"{}", order.encode(), on_delivery=on_delivery)
    assert producer.flush(10) == 0
    assert found == {order: partition_of(order, settings.kafka_topic_partitions) for order in found}
    assert len(set(found.values())) == settings.kafka_topic_partitions


def produce_header_name(producer: Producer, topic: str, name: bytes) -> None:
    """Produce one message whose header has this name; the Python client would not take one that is not UTF-8."""
    folder = Path(confluent_kafka.__file__).parent.parent
    (library,) = folder.glob("confluent_kafka.libs/librdkafka*")
    handle = ctypes.cast(id(producer) + 16, ctypes.POINTER(ctypes.c_void_p))[0]
    topic_type, value_type, flags_type, header_type, end, copy = 1, 4, 7, 9, 0, 2
    error = ctypes.CDLL(str(library)).rd_kafka_producev(
        ctypes.c_void_p(handle),
        topic_type, ctypes.c_char_p(topic.encode()),
        flags_type, ctypes.c_int(copy),
        value_type, ctypes.c_char_p(b"{}"), ctypes.c_size_t(2),
        header_type, ctypes.c_char_p(name), ctypes.c_char_p(b"x"), ctypes.c_ssize_t(1),
        end,
    )  # fmt: skip
    assert error == 0


@pytest.mark.skipif(
    not list(Path(confluent_kafka.__file__).parent.parent.glob("confluent_kafka.libs/librdkafka*")),
    reason="librdkafka is not in the wheel's own folder",
)
def test_header_whose_name_is_not_utf8_does_not_stop_the_relay(
    api: FlaskClient,
    settings: Settings,
    topic: str,
    start_relay: StartRelay,
    rows: Callable[[], int],
    relay_log: Callable[[], str],
) -> None:
    relay = start_relay()
    eventually(lambda: "Reading back from" in relay_log(), within=30)
    producer = Producer(producer_settings(settings))
    produce_header_name(producer, topic, b"\xff\xfe")
    assert producer.flush(10) == 0
    eventually(lambda: "offset 0: no event id in its headers" in relay_log())
    api.post("/orders", json=ORDER)
    eventually(lambda: rows() == 0)
    assert relay.poll() is None


def test_partitions_that_are_added_are_read_back(
    api: FlaskClient, admin: AdminClient, topic: str, start_relay: StartRelay, rows: Callable[[], int]
) -> None:
    api.post("/orders", json=ORDER)
    start_relay()
    eventually(lambda: rows() == 0, within=30)
    admin.create_partitions([NewPartitions(topic, 12)])[topic].result(10)
    eventually(lambda: len(admin.list_topics(topic, timeout=5).topics[topic].partitions) == 12, within=30)
    api.post("/orders/random", json={"count": 100})
    eventually(lambda: rows() == 0, within=30)


@pytest.fixture
def small_batches(admin: AdminClient, topic: str) -> None:
    """A topic that takes each order's event, but no batch of several."""
    entry = ConfigEntry("max.message.bytes", "1200", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(10)


@pytest.mark.usefixtures("small_batches")
def test_only_the_event_that_is_too_large_itself_is_parked(
    api: FlaskClient,
    engine: sa.Engine,
    scalar: Callable[[str], Any],
    start_relay: StartRelay,
    rows: Callable[[], int],
) -> None:
    """The broker judges the batch; 500 innocents were parked with one culprit."""
    large = api.post("/orders", json=ORDER | {"description": "x" * 1000}).get_json()["id"]
    api.post("/orders/random", json={"count": 300})
    start_relay()
    eventually(lambda: rows() == 1, within=30)
    eventually(lambda: scalar("SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL") == 1)
    assert str(scalar("SELECT aggregateid FROM outbox")) == large


@pytest.fixture
def open_transaction(settings: Settings, topic: str) -> Iterator[None]:
    """Somebody else's transaction, with a message in every partition, for the time of the test."""
    name = {"transactional.id": f"test-{uuid4()}", "transaction.timeout.ms": 60_000}
    producer = Producer(producer_settings(settings) | name)
    producer.init_transactions(20)
    producer.begin_transaction()
    for partition in range(settings.kafka_topic_partitions):
        producer.produce(topic, b"{}", partition=partition)
    assert producer.flush(10) == 0
    yield
    producer.abort_transaction(20)


def test_event_of_an_aborted_transaction_is_not_taken_for_published(
    settings: Settings, topic: str, api: FlaskClient, scalar: Callable[[str], Any], start_relay: StartRelay,
    topic_messages: TopicMessages,
) -> None:  # fmt: skip
    """What a killed Kafka Connect had begun: the log has the event, and no reader is given it."""
    order_id = api.post("/orders", json=ORDER).get_json()["id"]
    event_id = str(scalar("SELECT id FROM outbox"))
    producer = Producer(producer_settings(settings) | {"transactional.id": f"test-{uuid4()}"})
    producer.init_transactions(20)
    producer.begin_transaction()
    produce_event(producer, topic, event_id, order_id, "aborted", lambda error, message: None)
    assert producer.flush(10) == 0
    producer.abort_transaction(20)
    start_relay()
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=30)
    (message,) = topic_messages(1)
    assert json.loads(message.value() or b"")["id"] == event_id


@pytest.mark.usefixtures("open_transaction")
def test_open_transaction_of_others_does_not_stop_the_relay_from_publishing(
    api: FlaskClient, scalar: Callable[[str], Any], start_relay: StartRelay
) -> None:
    """Behind it nothing can be read back, and all the same the relay knows how far it can read."""
    api.post("/orders", json=ORDER)
    start_relay()
    eventually(lambda: scalar("SELECT max(attempts) FROM outbox") == 1, within=30)
