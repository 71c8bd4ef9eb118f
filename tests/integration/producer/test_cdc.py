"""PUBLISHER=debezium with a real Kafka Connect: the same messages, and nothing lost when it dies or is exchanged."""

import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from confluent_kafka import Message, Producer
from flask import Flask
from flask.testing import FlaskClient

from local_stack.ports import free_ports
from producer import create_app
from producer.cdc import heartbeat
from producer.cdc.connector import NAME
from producer.config import Settings
from producer.domain.partitioner import partition_of
from producer.publishing.kafka import producer_settings
from producer.publishing.produce import produce_event
from tests.contract import golden
from tests.eventually import eventually
from tests.integration.producer.conftest import (
    SERVICE,
    WELL,
    Execute,
    LedgerCommand,
    Scalar,
    StartRelay,
    TopicMessages,
    figures,
    services_of,
)
from tests.integration.producer.connect_worker import ConnectWorker
from tests.integration.producer.test_growth import grow
from tests.shop import DELIVERY, ORDER

# Beyond every wait: what is left to Debezium for so long is published by it, or the test fails.
LONG_S = 600.0
START_S = 150

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def worker(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectWorker]:
    folder, name = tmp_path_factory.mktemp("connect"), f"connect-{uuid.uuid4().hex[:8]}"
    worker = ConnectWorker(
        folder, next(iter(free_ports())), kafka.split(","), name, tmp_path_factory.getbasetemp()
    )
    worker.start()
    yield worker
    worker.kill()


@pytest.fixture
def settings(settings: Settings, roles: dict[str, str], worker: ConnectWorker, tmp_path: Path) -> Settings:
    """With a slot of this test's own."""
    password = tmp_path / "password"
    password.write_text(sa.make_url(roles["connect"]).password or "")
    captured = {
        "publisher": "debezium",
        "connect_url": worker.url,
        "connect_password_file": password,
        "cdc_slot": f"test_{uuid.uuid4().hex[:12]}",
        "connector_heartbeat_file": tmp_path / "connector.heartbeat",
        "capture_grace_s": LONG_S,
    }
    return settings.model_copy(update=captured)


class Capture:
    """Connect, the keeper, and what it says."""

    def __init__(self, settings: Settings, worker: ConnectWorker, log: Path) -> None:
        self.settings, self.worker, self.log = settings, worker, log

    def report(self) -> str:
        file = self.settings.connector_heartbeat_file
        assert heartbeat.problem(file) is None
        return heartbeat.report(file)

    def is_running(self) -> bool:
        """Return True, or raise AssertionError with what is wrong."""
        report = self.report()
        assert report == "ok", report
        return True


@pytest.fixture
def capture(
    settings: Settings,
    roles: dict[str, str],
    service_environment: dict[str, str],
    topic: str,
    worker: ConnectWorker,
    execute: Execute,
    tmp_path: Path,
) -> Iterator[Capture]:
    """The keeper as a process, once the connector runs."""
    worker.wait()
    log = tmp_path / "keeper.log"
    environment = service_environment | {"DATABASE_URL": roles["connect"]}
    with log.open("ab") as stderr:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "producer.cdc"], cwd=SERVICE, env=environment, stderr=stderr
        )
    capture = Capture(settings, worker, log)
    try:
        eventually(capture.is_running, within=START_S)
        yield capture
    finally:
        keeper.kill()
        keeper.wait(10)
        with suppress(OSError):
            worker.delete(NAME)

        def drop() -> bool:
            execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :slot",
                slot=settings.cdc_slot,
            )
            return True

        eventually(drop, within=30, not_yet=sa.exc.DBAPIError)


def insert(execute: Execute, payload: str, *, direct: bool) -> None:
    """Store the outbox row of an event: for Debezium, or for the relay, which is to send it now."""
    message = json.loads(payload)
    execute(
        "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at) VALUES"
        " (:id, 'order', :order_id, :type, :payload, :version, :direct, now() + make_interval(hours => :hours))",
        id=message["id"],
        order_id=message["subject"],
        type=message["type"],
        payload=payload,
        version=message["data"]["version"],
        direct=direct,
        hours=int(direct),
    )


def test_debezium_writes_the_messages_that_app_and_relay_write(
    capture: Capture, topic: str, execute: Execute, scalar: Scalar, start_relay: StartRelay,
    topic_messages: TopicMessages,
) -> None:  # fmt: skip
    """Each golden message by all three ways: the same key, headers, bytes and partition."""
    events = {json.loads(text)["id"]: text for text in (golden.read(p).decode() for p in golden.ORDER_PATHS)}
    for text in events.values():
        insert(execute, text, direct=False)
    relay = start_relay()
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=30)
    relay.kill()
    assert len(topic_messages(len(events))) == len(events)
    for text in events.values():
        insert(execute, text, direct=True)
    assert len(topic_messages(2 * len(events))) == 2 * len(events)
    producer = Producer(producer_settings(capture.settings))
    for event_id, text in events.items():
        produce_event(producer, topic, event_id, json.loads(text)["subject"], text, lambda error, _: None)
    assert producer.flush(10) == 0
    copies = by_id(topic_messages(3 * len(events)))
    assert set(copies) == set(events)
    for event_id, (by_relay, by_debezium, by_app) in copies.items():
        assert by_relay == by_debezium == by_app
        assert by_debezium[1:] == (
            json.loads(events[event_id])["subject"].encode(),
            (("id", event_id.encode()), ("content-type", b"application/cloudevents+json")),
            events[event_id].encode(),
        )


def by_id(messages: list[Message]) -> dict[str, list[tuple[Any, ...]]]:
    """Return partition, key, headers and bytes of each message, by the event's id."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for message in messages:
        text = message.value() or b""
        what = (message.partition(), message.key(), tuple(message.headers() or []), text)
        found.setdefault(json.loads(text)["id"], []).append(what)
    return found


class Customers:
    """Threads that place orders and have them delivered, each step through one of the given apps."""

    def __init__(self, *apps: Flask) -> None:
        self.apps, self.acknowledged = apps, 0
        self._stop, self._lock = threading.Event(), threading.Lock()
        self.problems: list[str] = []

    @contextmanager
    def busy(self, threads: int = 3) -> Iterator[None]:
        """Order while the block runs. Raises AssertionError when an order was refused."""
        running = [threading.Thread(target=self._order) for _ in range(threads)]
        for thread in running:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in running:
                thread.join(30)
        assert not self.problems

    def place_more(self, count: int) -> None:
        """Wait until so many more requests are acknowledged."""
        goal = self.acknowledged + count
        eventually(lambda: self.acknowledged > goal, within=30)

    def _order(self) -> None:
        while not self._stop.wait(0.02):
            order_id = str(self._ask(lambda client: client.post("/orders", json=ORDER), 201)["id"])
            for status in DELIVERY:
                path, body = f"/orders/{order_id}", {"status": status}
                self._ask(lambda client, path=path, body=body: client.patch(path, json=body), 200)  # type: ignore[misc]

    def _ask(self, request: Callable[[FlaskClient], Any], status: int) -> dict[str, Any]:
        with self._lock:
            app = self.apps[self.acknowledged % len(self.apps)]
        response = request(app.test_client())
        if response.status_code != status:
            self.problems.append(response.text)
        with self._lock:
            self.acknowledged += 1
        found: dict[str, Any] = response.get_json()
        return found


@pytest.fixture
def open_app(settings: Settings) -> Iterator[Callable[..., Flask]]:
    """Start an application with these settings; it is stopped after the test."""
    with ExitStack() as running:

        def open_app(**changes: Any) -> Flask:
            app = create_app(settings.model_copy(update=changes))
            running.callback(services_of(app).stop)
            services_of(app).start()
            return app

        yield open_app


def assert_well(ledger: LedgerCommand, committed: int) -> None:
    """Every event is in Kafka, those of an order in their order. Repeats are always possible."""
    found = figures(ledger("--json"))
    assert found == WELL | {"committed": committed, "in_kafka": committed, "repeats": found["repeats"]}


def test_nothing_is_lost_or_out_of_order_when_publishers_take_turns(
    capture: Capture, open_app: Callable[..., Flask], start_relay: StartRelay, scalar: Scalar,
    ledger: LedgerCommand,
) -> None:  # fmt: skip
    """Each step of an order by another publisher, as while a deployment switches from one to the other and back."""
    start_relay()
    publishers = [open_app(publisher=publisher) for publisher in ("debezium", "direct", "relay", "debezium")]
    customers = Customers(*publishers)
    with customers.busy():
        eventually(lambda: customers.acknowledged > 300, within=40)
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=60)
    assert_well(ledger, customers.acknowledged)
    assert capture.is_running()


def test_topic_grows_while_debezium_publishes(
    capture: Capture, open_app: Callable[..., Flask], start_relay: StartRelay, scalar: Scalar,
    ledger: LedgerCommand, service_environment: dict[str, str],
) -> None:  # fmt: skip
    """Under load, with publishers of every kind at work; twice, so that events move between partitions, too."""
    start_relay()
    customers = Customers(*(open_app(publisher=each) for each in ("debezium", "direct", "debezium")))
    with customers.busy():
        eventually(lambda: customers.acknowledged > 60, within=20)
        for number in (5, 7):
            done = grow(service_environment, number)
            assert done.returncode == 0, done.stderr
            assert f"Events are published by {number} partitions now." in done.stdout
            customers.place_more(60)
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=60)
    assert_well(ledger, customers.acknowledged)
    assert capture.is_running()


def test_debezium_goes_by_the_layout_and_not_by_what_its_client_knows(
    capture: Capture, open_app: Callable[..., Flask], start_relay: StartRelay, scalar: Scalar,
    execute: Execute, topic_messages: TopicMessages,
) -> None:  # fmt: skip
    """As after a growth that was killed half way: the topic has three partitions, and two are used."""
    start_relay()
    execute("UPDATE layout SET partitions = 2")
    client = open_app().test_client()
    orders = [client.post("/orders", json=ORDER).get_json()["id"] for _ in range(20)]
    assert {partition_of(order_id, 3) for order_id in orders} == {0, 1, 2}
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=30)
    found = {str(m.key() or b"", "ascii"): m.partition() for m in topic_messages(20)}
    assert {each: found[each] for each in orders} == {each: partition_of(each, 2) for each in orders}


def lose(slot: str, execute: Execute, scalar: Scalar) -> None:
    """Have PostgreSQL throw away the log that a slot without a reader needs."""

    def is_lost() -> bool:
        execute(
            "SELECT pg_logical_emit_message(true, 'filler', repeat('x', 1000000)) FROM generate_series(1, 20)"
        )
        scalar("SELECT pg_switch_wal()")
        execute("CHECKPOINT")
        return bool(
            scalar(f"SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = '{slot}'")
        )

    eventually(is_lost, within=30)


@pytest.fixture
def little_log(relay_engine: sa.Engine) -> Iterator[None]:
    """PostgreSQL keeps hardly any of its log for slots."""

    def run(statement: str) -> None:
        with relay_engine.connect() as connection:
            connection.exec_driver_sql(statement)
            connection.exec_driver_sql("SELECT pg_reload_conf()")

    run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    yield
    run("ALTER SYSTEM RESET max_slot_wal_keep_size")


def test_relay_publishes_while_connect_is_away_and_a_lost_slot_is_made_anew(
    capture: Capture, worker: ConnectWorker, open_app: Callable[..., Flask], start_relay: StartRelay,
    scalar: Scalar, execute: Execute, ledger: LedgerCommand, little_log: None,
) -> None:  # fmt: skip
    start_relay()
    customers = Customers(open_app(capture_grace_s=2))
    with customers.busy():
        eventually(lambda: customers.acknowledged > 60, within=20)
        worker.kill()
        eventually(lambda: "Kafka Connect does not answer" in capture.report())
        at_the_kill = customers.acknowledged
        eventually(lambda: customers.acknowledged > at_the_kill + 60, within=30)
    lose(capture.settings.cdc_slot, execute, scalar)
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=60)
    eventually(lambda: "The replication slot is lost (wal_removed)" in capture.report())
    assert_well(ledger, customers.acknowledged)

    worker.start()
    eventually(capture.is_running, within=START_S)
    assert "The replication slot is lost (wal_removed): begun anew" in capture.log.read_text()
    # By Debezium: the relay would have to wait for LONG_S.
    later = open_app()
    assert later.test_client().post("/orders", json=ORDER).status_code == 201
    eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=30)
    assert_well(ledger, customers.acknowledged + 1)
