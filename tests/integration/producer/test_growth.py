"""The layout in PostgreSQL, as publishers read it and as the command changes it; and the command on a real topic."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest
import sqlalchemy as sa
from confluent_kafka import Consumer, TopicPartition
from flask.testing import FlaskClient

from producer.config import Settings
from producer.domain.database import create_engine
from producer.domain.partitioner import partition_of
from producer.publishing.kafka import consumer_settings
from producer.publishing.layout_change import HoldEnded, LayoutChange
from producer.publishing.publisher import PublishPermit
from producer.relay.outbox import Outbox
from producer.services import Services
from tests.eventually import eventually
from tests.integration.producer.conftest import (
    SERVICE,
    Execute,
    LedgerCommand,
    Place,
    Scalar,
    StartRelay,
    figures,
)
from tests.shop import ORDER

SLOT = f"test_{uuid4().hex[:12]}"
PAST, FAR = "clock_timestamp() - interval '1 s'", "clock_timestamp() + interval '1 hour'"
DIRECT = "SELECT bool_or(direct) FROM outbox"
DUE = "SELECT bool_and(due_at <= clock_timestamp()) FROM outbox"


@pytest.fixture
def change(relay_engine: sa.Engine, services: Services) -> Iterator[LayoutChange]:
    change = LayoutChange(relay_engine, uuid4(), SLOT)
    yield change
    change.close()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, int | None]]:
    """Of each event that a request hands on after its commit: whether it may go directly, and to which partition."""
    found: list[tuple[bool, int | None]] = []

    def publish(permit: PublishPermit, events: list) -> None:  # type: ignore[type-arg]
        found.extend((event.direct, event.partition) for event in events)

    monkeypatch.setattr(PublishPermit, "publish", publish)
    return found


def grow(environment: dict[str, str], partitions: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "producer.topics", "grow", str(partitions)]
    return subprocess.run(command, cwd=SERVICE, env=environment, capture_output=True, text=True, timeout=120)


def confirm(api: FlaskClient, order_id: str) -> None:
    assert api.patch(f"/orders/{order_id}", json={"status": "confirmed"}).status_code == 200


STORED = "SELECT array_agg((direct, partition)::text ORDER BY created_at) FROM outbox"


def test_events_go_directly_and_to_no_partition_of_ours_until_the_topic_is_grown(
    api: FlaskClient, place: Place, execute: Execute, scalar: Scalar, published: list[tuple[bool, int | None]]
) -> None:
    order_id = place()
    execute("DELETE FROM outbox")
    confirm(api, order_id)
    assert published == [(True, None), (True, None)]
    assert scalar(STORED) == ["(t,)"]


def test_events_go_directly_to_the_partition_of_the_layout(
    api: FlaskClient, place: Place, execute: Execute, scalar: Scalar, published: list[tuple[bool, int | None]]
) -> None:
    """The first one, too, that a process stores after a growth: without a relay it would not be shown."""
    place()
    execute("DELETE FROM outbox")
    execute("UPDATE layout SET partitions = 12")
    of_12 = place()
    execute("UPDATE layout SET partitions = 5")
    of_5 = place()
    execute("DELETE FROM outbox WHERE aggregateid = :id", id=of_12)
    confirm(api, of_12)
    wanted = [partition_of(of_12, 12), partition_of(of_5, 5), partition_of(of_12, 5)]
    assert published[1:] == [(True, partition) for partition in wanted]
    assert scalar(STORED) == [f"(t,{partition})" for partition in wanted[1:]]


def test_layout_of_a_restored_database_has_kafkas_client_compute_again(
    place: Place, execute: Execute, scalar: Scalar, published: list[tuple[bool, int | None]]
) -> None:
    execute("UPDATE layout SET partitions = 12")
    place()
    execute("UPDATE layout SET partitions = 0")
    place()
    place()
    assert published[1:] == [(True, None), (True, None)]


def test_while_only_the_relay_publishes_nothing_is_direct_and_everything_due(
    api: FlaskClient, place: Place, scalar: Scalar, execute: Execute, change: LayoutChange,
    published: list[tuple[bool, int | None]],
) -> None:  # fmt: skip
    before = place()
    execute("DELETE FROM outbox")
    change.relay_only(6)
    place()
    api.post("/orders/batch", json={"orders": [ORDER, ORDER]})
    confirm(api, before)
    assert {direct for direct, _ in published[1:]} == {False}
    assert (scalar(DIRECT), scalar(DUE)) == (False, True)
    change.release()
    last = place()
    assert (published[-1], scalar(DIRECT)) == ((True, partition_of(last, 6)), True)


@pytest.mark.parametrize("until", [PAST, FAR])
def test_hold_ends_by_itself_also_when_the_clock_is_set_back(
    place: Place, execute: Execute, change: LayoutChange, outbox: Outbox, published: list[tuple[bool, int | None]],
    until: str,
) -> None:  # fmt: skip
    change.relay_only(6)
    change.stop()
    execute(f"UPDATE layout SET relayed_until = {until}, stopped_until = {until}")
    last = place()
    assert published == [(True, partition_of(last, 6))]
    execute("UPDATE outbox SET due_at = now()")
    assert len(outbox.claim(10)[0]) == 1


def test_while_publishing_is_stopped_only_what_was_claimed_before_is_claimed_again(
    place: Place, execute: Execute, change: LayoutChange, outbox: Outbox
) -> None:
    first = place()
    execute("UPDATE outbox SET due_at = now()")
    ((claimed,), _) = outbox.claim(10)
    change.relay_only(6)
    change.stop()
    place()
    assert outbox.claim(10) == ([], 0)
    assert change.has_claimed()
    execute("UPDATE outbox SET due_at = now()")
    (again,), _ = outbox.claim(10)
    assert (again.order_id, again.partitions) == (first, 6)
    outbox.delete([claimed.id])
    assert not change.has_claimed()
    change.switch(12)
    ((later,), _) = outbox.claim(10)
    assert later.partitions == 12


def test_relay_has_work_while_the_topic_grows(change: LayoutChange, outbox: Outbox) -> None:
    """It looks for new partitions only when it has."""
    assert not outbox.has_due()
    change.relay_only(6)
    assert outbox.has_due()
    change.release()
    assert not outbox.has_due()


@pytest.mark.parametrize("until", ["clock_timestamp() + interval '3 s'", PAST, FAR])
def test_run_whose_hold_has_ended_changes_nothing(
    scalar: Scalar, execute: Execute, change: LayoutChange, until: str
) -> None:
    """Or is about to end: a statement may take some time."""
    change.relay_only(6)
    change.stop()
    execute(f"UPDATE layout SET relayed_until = {until}, stopped_until = {until}")
    for step in (change.keep, change.stop, lambda: change.switch(12)):
        with pytest.raises(HoldEnded):
            step()
    assert scalar("SELECT partitions FROM layout") == 6


def test_run_that_another_one_has_followed_changes_nothing(
    change: LayoutChange, relay_engine: sa.Engine
) -> None:
    other = LayoutChange(relay_engine, uuid4(), SLOT)
    change.relay_only(6)
    other.relay_only(6)
    change.release()
    with pytest.raises(HoldEnded):
        change.stop()
    other.stop()
    other.switch(12)
    assert other.partitions() == 12


def test_run_that_does_not_know_of_a_change_does_not_take_it_back(
    change: LayoutChange, relay_engine: sa.Engine
) -> None:
    """The other one had lost its turn with its connection, and finished nevertheless."""
    other = LayoutChange(relay_engine, uuid4(), SLOT)
    other.relay_only(6)
    other.stop()
    other.switch(12)
    with pytest.raises(HoldEnded):
        change.relay_only(6)
    assert change.partitions() == 12


def test_only_one_run_at_a_time(change: LayoutChange, relay_engine: sa.Engine) -> None:
    other = LayoutChange(relay_engine, uuid4(), SLOT)
    assert change.take_turn()
    assert not other.take_turn()
    change.close()
    assert other.take_turn()
    other.close()


def test_transactions_that_have_read_the_layout_are_seen_until_they_end(
    change: LayoutChange, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT * FROM orders"))
        assert change.readers() == set()
        connection.execute(sa.text("SELECT * FROM layout"))
        (reader,) = change.readers()
    assert reader not in change.readers()


@pytest.fixture
def slot(execute: Execute) -> Iterator[str]:
    execute("SELECT pg_create_logical_replication_slot(:slot, 'pgoutput')", slot=SLOT)
    yield SLOT
    execute("SELECT pg_drop_replication_slot(:slot)", slot=SLOT)


def test_what_debezium_has_not_confirmed_is_not_captured(
    slot: str, place: Place, execute: Execute, change: LayoutChange
) -> None:
    place()
    log_end = change.log_end()
    assert not change.is_captured(log_end)
    execute("SELECT pg_replication_slot_advance(:slot, CAST(:log_end AS pg_lsn))", slot=slot, log_end=log_end)
    assert change.is_captured(log_end)


def test_parked_events_and_those_behind_them_are_not_on_their_way(
    api: FlaskClient, place: Place, execute: Execute, change: LayoutChange
) -> None:
    parked, other = place(), place()
    confirm(api, parked)
    execute("UPDATE outbox SET parked_at = now() WHERE aggregateid = :id AND version = 1", id=parked)
    (waiting,) = change.on_their_way(10)
    assert not change.are_read_back([waiting])
    execute("DELETE FROM outbox WHERE aggregateid = :id", id=other)
    assert change.are_read_back([waiting])


@pytest.fixture
def relay_role(settings: Settings, roles: dict[str, str]) -> Iterator[sa.Engine]:
    url = sa.make_url(roles["relay"]).set(drivername="postgresql+psycopg2")
    engine = create_engine(url, 2, 3, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def test_relays_role_may_do_all_that(relay_role: sa.Engine) -> None:
    change = LayoutChange(relay_role, uuid4(), SLOT)
    assert change.take_turn()
    change.relay_only(6)
    assert (change.readers(), change.on_their_way(10), change.are_read_back([])) == (set(), [], True)
    assert change.is_captured(change.log_end())
    change.keep()
    change.stop()
    assert not change.has_claimed()
    change.switch(12)
    change.release()
    assert change.partitions() == 12
    change.close()


def test_topic_grows_and_orders_move(
    api: FlaskClient, place: Place, scalar: Scalar, settings: Settings, start_relay: StartRelay,
    service_environment: dict[str, str], ledger: LedgerCommand,
) -> None:  # fmt: skip
    start_relay()
    orders = [place() for _ in range(30)]
    done = grow(service_environment, 5)
    assert done.returncode == 0, done.stderr
    assert "Publishing paused" in done.stdout
    for order_id in orders:
        confirm(api, order_id)
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=60)
    found = read_all(settings, 5)
    assert [found[order, 1] for order in orders] == [partition_of(order, 3) for order in orders]
    assert [found[order, 2] for order in orders] == [partition_of(order, 5) for order in orders]
    assert {found[order, 2] for order in orders} == {0, 1, 2, 3, 4}
    report = figures(ledger("--json"))
    assert (report["missing"], report["out_of_order"], report["in_kafka"]) == (0, 0, 60)
    assert grow(service_environment, 5).stdout == "The topic has 5 partitions already.\n"


def read_all(settings: Settings, partitions: int) -> dict[tuple[str, int], int]:
    """Return the partition of each event of the topic, by order and version."""
    consumer = Consumer(consumer_settings(settings))
    consumer.assign([TopicPartition(settings.kafka_topic, number, 0) for number in range(partitions)])
    found: dict[tuple[str, int], int] = {}
    ends: set[int | None] = set()
    versions: dict[str, int] = {}
    try:
        while len(ends) < partitions:
            message = consumer.poll(10)
            assert message is not None
            if message.error() is not None:
                ends.add(message.partition())
            elif message.key() is not None:
                order_id = str(message.key(), "ascii")  # type: ignore[arg-type]
                value = message.value() or b""
                version = 2 if b"order.confirmed" in value else 1
                found[order_id, version] = message.partition() or 0
                versions[order_id] = version
    finally:
        consumer.close()
    return found


def test_without_a_relay_nothing_is_changed_and_publishing_goes_on(
    place: Place, scalar: Scalar, topic: str, service_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    place()
    code = (
        "import producer.publishing.growth as growth; growth.READ_BACK_S = 2; import producer.topics as t;"
        "t.main(['grow', '5'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=SERVICE,
        env=service_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "does a relay run" in done.stderr
    assert not scalar("SELECT relayed_until > now() FROM layout")
