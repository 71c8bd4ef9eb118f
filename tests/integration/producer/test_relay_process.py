"""The relay as a process, on real PostgreSQL and real Kafka."""

import json
import signal
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import pytest
import sqlalchemy as sa
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient
from flask.testing import FlaskClient

from producer.config import Settings
from producer.publishing import topics
from producer.publishing.kafka import admin_settings, producer_settings
from producer.services import Services
from tests.eventually import eventually
from tests.integration.producer.conftest import RelayCommand, Scalar, StartRelay, TopicMessages
from tests.shop import ORDER

CountRows = Callable[[], int]
StoreChanges = Callable[[str, int, int], None]


@pytest.fixture
def count_outbox_rows(scalar: Scalar) -> CountRows:
    return lambda: int(scalar("SELECT count(*) FROM outbox"))


@pytest.fixture
def store_changes(engine: sa.Engine) -> StoreChanges:
    """Store the rows of one order's versions `first` to `last`, each as if an earlier one were in the outbox."""

    def insert(order: str, first: int, last: int) -> None:
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO outbox"
                    " (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)"
                    " SELECT gen_random_uuid(), 'order', CAST(:order AS uuid), 'order.confirmed',"
                    " json_build_object('version', v), v, false, now()"
                    " FROM generate_series(:first, :last) AS v"
                ),
                {"order": order, "first": first, "last": last},
            )

    return insert


def versions(messages: list[Message]) -> dict[bytes, list[int]]:
    """Return the versions of each order in the sequence of their first occurrences."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for message in sorted(messages, key=lambda message: (message.partition(), message.offset())):
        key, value = message.key(), message.value()
        assert key is not None
        assert value is not None
        version = json.loads(value)["version"]
        if version not in found[key]:
            found[key].append(version)
    return found


def test_event_in_kafka_equals_its_outbox_row_byte_for_byte(
    api: FlaskClient,
    scalar: Scalar,
    start_relay: StartRelay,
    topic_messages: TopicMessages,
    count_outbox_rows: CountRows,
) -> None:
    order = api.post("/orders", json=ORDER | {"customer_name": "Zoë"}).get_json()
    payload, event_id = scalar("SELECT payload FROM outbox"), scalar("SELECT id FROM outbox")
    start_relay()
    (message,) = topic_messages(1)
    assert message.value() == payload.encode()
    assert message.key() == order["id"].encode()
    headers = {"id": str(event_id).encode(), "content-type": b"application/cloudevents+json"}
    assert dict(message.headers() or ()) == headers
    eventually(lambda: count_outbox_rows() == 0)


def test_relay_deletes_directly_published_rows_without_publishing_them_again(
    services: Services,
    api: FlaskClient,
    start_relay: StartRelay,
    topic_messages: TopicMessages,
    engine: sa.Engine,
    count_outbox_rows: CountRows,
) -> None:
    """The relay reads back before it claims, even when every row is past its due time."""
    services.publisher.start()
    for _ in range(20):
        api.post("/orders", json=ORDER)
    assert len(topic_messages(20)) == 20
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE outbox SET due_at = now()"))
    assert count_outbox_rows() == 20
    start_relay()
    eventually(lambda: count_outbox_rows() == 0)
    assert len(topic_messages(20)) == 20


def test_relay_ends_for_a_topic_that_was_created_again_and_the_next_one_publishes(
    api: FlaskClient, settings: Settings, start_relay: StartRelay, topic: str, count_outbox_rows: CountRows
) -> None:
    """Its idempotent producer may be stuck for good by that."""
    api.post("/orders", json=ORDER)
    relay = start_relay()
    eventually(lambda: count_outbox_rows() == 0)
    admin = AdminClient(admin_settings(settings))
    admin.delete_topics([topic], operation_timeout=10)[topic].result(15)
    topics.ensure(admin, settings)
    api.post("/orders", json=ORDER)
    assert relay.wait(60) == 1
    start_relay()
    eventually(lambda: count_outbox_rows() == 0)


def test_killed_relay_loses_no_event(
    api: FlaskClient,
    start_relay: StartRelay,
    topic_messages: TopicMessages,
    scalar: Scalar,
    count_outbox_rows: CountRows,
) -> None:
    """Kill the relay three times amid 3,000 rows: each event is in Kafka, and the outbox is empty in the end."""
    for _ in range(3):
        api.post("/orders/random", json={"count": 1000})
    placed = 3000

    def has_at_most(rows: int) -> bool:
        return count_outbox_rows() <= rows

    for left in (2500, 1500, 500):
        relay = start_relay()
        eventually(partial(has_at_most, left), within=30, every=0.005)
        relay.kill()
        relay.wait(10)
    start_relay()
    eventually(lambda: count_outbox_rows() == 0, within=40)
    keys = {message.key() for message in topic_messages(placed)}
    assert len(keys) == placed
    assert keys == {str(key).encode() for key in scalar("SELECT array_agg(id) FROM orders")}


def test_versions_of_an_order_are_published_in_sequence(
    store_changes: StoreChanges,
    start_relay: StartRelay,
    topic_messages: TopicMessages,
    count_outbox_rows: CountRows,
) -> None:
    """Run two relays at once: no version is published before an earlier one."""
    hot, other = "01939b1e-6b1c-7c3a-8b1e-0000000000aa", "01939b1e-6b1c-7c3a-8b1e-0000000000bb"
    store_changes(hot, 1, 400)
    store_changes(other, 1, 5)
    start_relay()
    start_relay()
    eventually(lambda: count_outbox_rows() == 0, within=100)
    first_occurrences = versions(topic_messages(405))
    assert first_occurrences[hot.encode()] == list(range(1, 401))
    assert first_occurrences[other.encode()] == [1, 2, 3, 4, 5]


def test_relay_frozen_past_its_lease_may_repeat_but_not_reorder_events(
    store_changes: StoreChanges,
    start_relay: StartRelay,
    topic_messages: TopicMessages,
    count_outbox_rows: CountRows,
) -> None:
    """Another relay takes its claims over; when it is resumed, whatever it still sends is a repeat."""
    order = "01939b1e-6b1c-7c3a-8b1e-0000000000dd"
    store_changes(order, 1, 300)
    frozen = start_relay()
    eventually(lambda: count_outbox_rows() < 290, within=30, every=0.005)
    frozen.send_signal(signal.SIGSTOP)
    left = count_outbox_rows()
    start_relay()
    eventually(lambda: count_outbox_rows() < left - 10, within=30)
    frozen.send_signal(signal.SIGCONT)
    eventually(lambda: count_outbox_rows() == 0, within=40)
    assert versions(topic_messages(300))[order.encode()] == list(range(1, 301))


def test_row_that_kafka_refuses_is_parked_and_other_orders_are_published(
    api: FlaskClient,
    store_changes: StoreChanges,
    engine: sa.Engine,
    scalar: Scalar,
    start_relay: StartRelay,
    topic_messages: TopicMessages,
    count_outbox_rows: CountRows,
    relay_command: RelayCommand,
) -> None:
    blocked = "01939b1e-6b1c-7c3a-8b1e-0000000000cc"
    store_changes(blocked, 1, 2)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE outbox SET payload = repeat('x', 2000000) WHERE version = 1"))
    api.post("/orders", json=ORDER)
    start_relay()
    (message,) = topic_messages(1)
    assert message.key() != blocked.encode()
    eventually(lambda: count_outbox_rows() == 2)
    reason = eventually(lambda: scalar("SELECT max(parked_reason) FROM outbox WHERE parked_at IS NOT NULL"))
    assert "too large" in reason.lower()
    assert scalar("SELECT min(version) FROM outbox WHERE parked_at IS NULL") == 2
    refused = str(scalar("SELECT id FROM outbox WHERE parked_at IS NOT NULL"))
    assert refused in relay_command("parked").stdout
    assert relay_command("discard", refused).returncode == 0
    eventually(lambda: count_outbox_rows() == 0)
    assert relay_command("discard", refused).returncode == 1
    assert relay_command("requeue", "nonsense").returncode == 2


def test_relay_skips_foreign_messages_on_the_topic(
    api: FlaskClient, settings: Settings, start_relay: StartRelay, count_outbox_rows: CountRows
) -> None:
    foreign = Producer(producer_settings(settings))
    event_ids: tuple[bytes | None, ...] = (b"\xff", None, b"no-uuid")
    foreign.produce(settings.kafka_topic, b"\x00garbage")
    for event_id in event_ids:
        foreign.produce(settings.kafka_topic, b"\x00garbage", headers=[("id", event_id)])
    foreign.produce(settings.kafka_topic, None, b"tombstone")
    assert foreign.flush(10) == 0
    api.post("/orders", json=ORDER)
    start_relay()
    eventually(lambda: count_outbox_rows() == 0)


def test_sigterm_stops_the_relay_within_five_seconds(start_relay: StartRelay, settings: Settings) -> None:
    relay = start_relay()
    eventually(settings.relay_heartbeat_file.exists)
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(5) == 0


def test_check_command_tells_whether_a_relay_is_running(
    start_relay: StartRelay, relay_command: RelayCommand, settings: Settings
) -> None:
    assert relay_command("check").returncode == 1
    start_relay()
    eventually(settings.relay_heartbeat_file.exists)
    assert relay_command("check").returncode == 0


def test_relay_is_woken_up_for_a_row_only_it_may_publish(
    services: Services,
    api: FlaskClient,
    engine: sa.Engine,
    start_relay: StartRelay,
    count_outbox_rows: CountRows,
    scalar: Scalar,
) -> None:
    services.notifier.start()
    start_relay()
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN outbox'"
    eventually(lambda: scalar(listening) == 1)
    with engine.connect() as connection:
        raw = connection.execution_options(isolation_level="AUTOCOMMIT")
        raw.execute(sa.text("LISTEN outbox"))
        api.post("/orders", json=ORDER)
        driver = connection.connection.driver_connection
        assert driver is not None

        def has_notification() -> bool:
            driver.poll()
            return bool(driver.notifies)

        assert eventually(has_notification)
        connection.detach()
    eventually(lambda: count_outbox_rows() == 0)
