"""The ledger as a command, on a real database and a real topic."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import psutil
import pytest
import sqlalchemy as sa
from confluent_kafka import Message, TopicPartition
from confluent_kafka.admin import AdminClient
from flask.testing import FlaskClient

from producer.config import Settings
from producer.publishing.kafka import admin_settings
from tests.eventually import eventually
from tests.integration.producer.conftest import (
    SERVICE,
    WELL,
    Execute,
    LedgerCommand,
    Place,
    Scalar,
    StartRelay,
    figures,
)
from tests.shop import DELIVERY, ORDER


@pytest.mark.usefixtures("topic")
def test_all_is_well_when_everything_is_in_the_outbox_or_in_kafka(
    api: FlaskClient, place: Place, ledger: LedgerCommand, published: Callable[[int], list[Message]]
) -> None:
    order_id = place()
    for status in DELIVERY:
        assert api.patch(f"/orders/{order_id}", json={"status": status}).status_code == 200
    place()
    before = ledger("--json")
    assert before.returncode == 0, before.stderr
    assert figures(before) == WELL | {"committed": 5, "in_outbox": 5, "in_kafka": 0}
    published(5)
    after = ledger("--json")
    assert after.returncode == 0, after.stderr
    assert figures(after) == WELL | {"committed": 5, "in_kafka": 5}
    assert list(figures(after)) == [
        "committed", "in_outbox", "parked", "discarded", "in_kafka", "repeats", "out_of_order", "missing",
        "never_committed",
    ]  # fmt: skip
    assert after.stderr == ""  # no bar where there is no terminal
    text = ledger()
    assert text.stdout.splitlines()[0].split() == ["committed", "5"]


@pytest.mark.usefixtures("topic")
def test_repair_puts_lost_events_back_with_the_same_bytes_and_ids(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    execute: Execute,
    engine: sa.Engine,
    published: Callable[[int], list[Message]],
) -> None:
    """Every version of a delivered order and one of another, all lost before they were published."""
    order_id, other = place(), place()
    for status in DELIVERY:
        api.patch(f"/orders/{order_id}", json={"status": status})
    rows = "SELECT id, aggregatetype, aggregateid, type, payload, version FROM outbox ORDER BY id"
    with engine.connect() as connection:
        before = connection.execute(sa.text(rows)).all()
    execute("DELETE FROM outbox")
    lost = ledger("--json")
    assert lost.returncode == 1
    assert figures(lost) == WELL | {"committed": 5, "in_kafka": 0, "missing": 5}
    for version in range(1, 5):
        assert f"missing: order {order_id} version {version}" in lost.stderr
    assert f"missing: order {other} version 1" in lost.stderr
    repaired = ledger("--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert "Put back into the outbox: 5" in repaired.stdout
    with engine.connect() as connection:
        assert connection.execute(sa.text(rows)).all() == before
    assert "Put back into the outbox: 0" in ledger("--repair").stdout
    messages = published(5)
    assert {message.value() for message in messages} == {row.payload.encode() for row in before}
    well = ledger("--json")
    assert (well.returncode, figures(well)) == (0, WELL | {"committed": 5, "in_kafka": 5})


@pytest.mark.usefixtures("topic")
def test_repair_says_which_event_it_cannot_make_again_and_why(
    place: Place, ledger: LedgerCommand, execute: Execute, scalar: Scalar
) -> None:
    old, changed = place(), place()
    execute("DELETE FROM outbox")
    execute("UPDATE orders SET event_id = NULL WHERE id = CAST(:id AS uuid)", id=old)
    execute("UPDATE orders SET quantity = 7 WHERE id = CAST(:id AS uuid)", id=changed)
    done = ledger("--repair")
    assert done.returncode == 1
    assert f"not put back: order {old} version 1: it was placed or changed before" in done.stdout
    assert f"not put back: order {changed} version 1: this version of the producer makes other" in done.stdout
    assert scalar("SELECT count(*) FROM outbox") == 0


@pytest.mark.usefixtures("topic")
def test_repair_puts_no_event_back_while_a_later_one_of_its_order_waits(
    api: FlaskClient, place: Place, ledger: LedgerCommand, execute: Execute, scalar: Scalar
) -> None:
    order_id = place()
    api.patch(f"/orders/{order_id}", json={"status": "confirmed"})
    execute("DELETE FROM outbox WHERE version = 1")
    done = ledger("--repair")
    assert done.returncode == 1
    assert "a later event of the order is in the outbox" in done.stdout
    assert scalar("SELECT min(version) FROM outbox") == 2


@pytest.mark.usefixtures("topic")
def test_later_events_wait_behind_one_that_was_put_back(
    api: FlaskClient, place: Place, ledger: LedgerCommand, execute: Execute, scalar: Scalar
) -> None:
    order_id = place()
    execute("DELETE FROM outbox")
    assert ledger("--repair").returncode == 0
    assert scalar("SELECT direct FROM outbox") is False
    api.patch(f"/orders/{order_id}", json={"status": "confirmed"})
    assert scalar("SELECT bool_or(direct) FROM outbox") is False


@pytest.mark.usefixtures("topic")
def test_event_that_never_committed_is_found(
    place: Place,
    ledger: LedgerCommand,
    execute: Execute,
    published: Callable[[int], list[Message]],
) -> None:
    """As after a restore of PostgreSQL from a backup that is older than the topic."""
    order_id, kept = place(), place()
    published(2)
    execute("DELETE FROM orders WHERE id = CAST(:id AS uuid)", id=order_id)
    done = ledger("--json")
    assert done.returncode == 1
    assert figures(done) == WELL | {"committed": 1, "in_kafka": 2, "never_committed": 1}
    assert f"never committed: order {order_id} version 1" in done.stderr
    assert kept not in done.stderr


@pytest.mark.usefixtures("topic")
def test_second_event_of_one_version_never_committed(
    place: Place,
    ledger: LedgerCommand,
    write: Callable[..., None],
    published: Callable[[int], list[Message]],
) -> None:
    order_id = place()
    (message,) = published(1)
    other = json.loads(message.value() or b"") | {"id": str(uuid4())}
    write(json.dumps(other).encode(), order_id)
    done = ledger("--json")
    assert done.returncode == 1
    assert figures(done) == WELL | {"committed": 1, "in_kafka": 1, "never_committed": 1}


@pytest.mark.usefixtures("topic")
def test_repeats_disorder_and_foreign_messages_are_counted_and_are_no_error(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    write: Callable[..., None],
    engine: sa.Engine,
    execute: Execute,
) -> None:
    order_id = place()
    api.patch(f"/orders/{order_id}", json={"status": "confirmed"})
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT payload FROM outbox ORDER BY version DESC")).scalars()
        confirmed, placed = (payload.encode() for payload in rows)
    execute("DELETE FROM outbox")
    for payload in (confirmed, placed, placed, confirmed):
        write(payload, order_id)
    write(b"\x00garbage", order_id)
    write(None, order_id)
    write(b'{"type":"order.placed","id":"x","subject":"y","data":{"version":1}}', b"\xff")
    write(placed.replace(b'"version":1', b'"version":1e999'), order_id)
    write(b"[" * 100_000, order_id)
    write(b'{"type":"test.event"}', "test", [("id", b"\xff"), ("\u00e9", None)])
    done = ledger("--json")
    assert done.returncode == 0, done.stderr
    assert figures(done) == WELL | {"committed": 2, "in_kafka": 2, "repeats": 2, "out_of_order": 1}
    assert "no events of ours or cannot be read: 5" in done.stderr
    assert f"out of order: order {order_id} version 1" in done.stderr


@pytest.mark.usefixtures("topic")
def test_parked_and_discarded_events_are_not_missing(
    place: Place, ledger: LedgerCommand, execute: Execute, scalar: Scalar, relay_command: LedgerCommand
) -> None:
    place()
    place()
    execute("UPDATE outbox SET parked_at = now(), parked_reason = 'too large'")
    assert relay_command("discard", str(scalar("SELECT id FROM outbox LIMIT 1"))).returncode == 0
    done = ledger("--json")
    assert done.returncode == 0
    assert figures(done) == WELL | {"committed": 2, "in_kafka": 0, "parked": 1, "discarded": 1}


def test_what_retention_has_removed_is_not_missing(
    place: Place,
    ledger: LedgerCommand,
    settings: Settings,
    topic: str,
    published: Callable[[int], list[Message]],
    execute: Execute,
) -> None:
    """Events are judged from five minutes after the first message that is left, in an empty partition from now on."""
    for _ in range(12):
        place()
    messages = published(12)
    ends = {m.partition(): (m.offset() or 0) + 1 for m in sorted(messages, key=lambda m: m.offset() or 0)}
    kept = max(ends, key=lambda number: ends[number] if number is not None else 0)
    admin = AdminClient(admin_settings(settings))
    cut = [TopicPartition(topic, n or 0, end - 1 if n == kept else end) for n, end in ends.items()]
    for answer in admin.delete_records(cut, request_timeout=30).values():
        answer.result(60)
    done = ledger("--json")
    assert done.returncode == 0, done.stderr
    assert figures(done) == WELL | {"committed": 12, "in_kafka": 1}
    assert "its retention may have removed them: 11" in done.stderr
    execute(
        "UPDATE orders SET created_at = now() + interval '6 minutes', updated_at = now() + interval '6 minutes'"
    )
    later = ledger("--json")
    assert later.returncode == 1
    assert figures(later)["missing"] > 0


@pytest.mark.usefixtures("topic")
def test_order_prints_its_timeline(
    api: FlaskClient,
    place: Place,
    ledger: LedgerCommand,
    published: Callable[[int], list[Message]],
    execute: Execute,
) -> None:
    order_id = place()
    place()
    messages = published(2)
    (own,) = [message for message in messages if message.key() == order_id.encode()]
    api.patch(f"/orders/{order_id}", json={"status": "confirmed"})
    waiting = ledger("--order", order_id)
    assert waiting.returncode == 0, waiting.stderr
    title, first, second = waiting.stdout.splitlines()
    assert title == f"Order {order_id}: confirmed, version 2"
    assert f"in Kafka, partition {own.partition()} offset {own.offset()}" in first
    assert "order.confirmed" in second
    assert "in the outbox, due" in second
    execute("DELETE FROM outbox")
    lost = ledger("--order", order_id)
    assert lost.returncode == 1
    assert lost.stdout.splitlines()[2].endswith("MISSING")
    unknown = ledger("--order", str(UUID(int=1)))
    assert (unknown.returncode, unknown.stdout.strip()) == (
        1,
        f"Order {UUID(int=1)}: no such order is stored",
    )


@pytest.mark.usefixtures("topic")
def test_ledger_never_cries_wolf_while_orders_are_placed_and_published(
    api: FlaskClient, ledger: LedgerCommand, start_relay: StartRelay
) -> None:
    """Orders are placed and changed without a pause, and the relay publishes and deletes, while the ledger runs."""
    start_relay()
    ended = threading.Event()

    def keep_ordering() -> None:
        while not ended.is_set():
            placed = api.post("/orders/batch", json={"orders": [ORDER] * 20}).get_json()
            for order in placed["orders"][:5]:
                api.patch(f"/orders/{order['id']}", json={"status": "confirmed"})

    thread = threading.Thread(target=keep_ordering)
    thread.start()
    try:
        runs = [ledger("--json") for _ in range(6)]
    finally:
        ended.set()
        thread.join(10)
    for done in runs:
        assert done.returncode == 0, done.stdout + done.stderr
    assert figures(runs[-1])["committed"] > figures(runs[0])["committed"] > 0


def test_no_database_is_one_line_and_exit_code_2(
    ledger: LedgerCommand, service_environment: dict[str, str]
) -> None:
    service_environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    done = ledger("--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_no_kafka_is_one_line_and_exit_code_2(
    ledger: LedgerCommand, service_environment: dict[str, str]
) -> None:
    service_environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    done = ledger()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Kafka: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.usefixtures("interruptible")
def test_interrupt_ends_the_ledger_with_130(service_environment: dict[str, str]) -> None:
    service_environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    command = [sys.executable, "-m", "producer.ledger"]
    with subprocess.Popen(command, cwd=SERVICE, env=service_environment, stderr=subprocess.PIPE) as running:
        client = psutil.Process(running.pid)
        eventually(
            lambda: client.num_threads() > 1, within=60
        )  # its Kafka client has begun: it waits for an answer
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
