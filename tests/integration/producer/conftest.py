"""The producer's application, its database, its topic, and the relay as a process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from flask import Flask
from flask.testing import FlaskClient

from db.roles import ROLES
from local_stack.passwords import create_role_passwords, pgpass
from local_stack.paths import Paths
from local_stack.postgres import DATABASE
from producer import create_app
from producer.config import Settings
from producer.domain.database import create_engine
from producer.publishing.kafka import consumer_settings, producer_settings
from producer.relay.outbox import Outbox
from producer.services import EXTENSION, Services
from tests.eventually import eventually
from tests.project import ROOT
from tests.shop import ORDER
from tests.stack import Stack

SERVICE = ROOT / "producer_service"

# The callables that the fixtures of the same names hand out.
Scalar = Callable[[str], Any]
TopicMessages = Callable[[int], list[Message]]
StartRelay = Callable[[], subprocess.Popen[bytes]]


class RelayCommand(Protocol):
    """The `relay_command` fixture."""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application as gunicorn loads it. Its Kafka client is not started: events are left to the relay."""
    app = create_app(settings)
    yield app
    services_of(app).stop()


@pytest.fixture
def services(app: Flask) -> Services:
    return services_of(app)


def services_of(app: Flask) -> Services:
    services: Services = app.extensions[EXTENSION]
    return services


@pytest.fixture
def api(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def engine(services: Services) -> sa.Engine:
    return services.database.engine


@pytest.fixture
def relay_engine(settings: Settings) -> Iterator[sa.Engine]:
    """An engine like the relay's: each statement runs in a transaction of its own."""
    engine = create_engine(settings.sqlalchemy_url, 4, 5, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def outbox(relay_engine: sa.Engine) -> Outbox:
    return Outbox(relay_engine)


@pytest.fixture
def scalar(engine: sa.Engine) -> Scalar:
    """Run an SQL query and return its single value."""

    def query(sql: str) -> Any:
        with engine.begin() as connection:
            return connection.execute(sa.text(sql)).scalar_one()

    return query


@pytest.fixture
def topic_messages(settings: Settings, topic: str) -> TopicMessages:
    """Read the test's topic from its beginning; return all messages once there are at least `count`."""

    def read(count: int) -> list[Message]:
        consumer = Consumer(consumer_settings(settings) | {"enable.partition.eof": False})
        partitions = range(settings.kafka_topic_partitions)
        consumer.assign([TopicPartition(settings.kafka_topic, number, 0) for number in partitions])
        found: list[Message] = []

        def are_enough() -> bool:
            found.extend(m for m in consumer.consume(1000, timeout=0.2) if m.error() is None)
            return len(found) >= count

        try:
            eventually(are_enough)
            found.extend(m for m in consumer.consume(1000, timeout=0.5) if m.error() is None)
        finally:
            consumer.close()
        return found

    return read


@pytest.fixture
def service_environment(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_none=True)
    return os.environ | {name.upper(): str(value) for name, value in values.items()}


@pytest.fixture
def start_relay(service_environment: dict[str, str], topic: str, tmp_path: Path) -> Iterator[StartRelay]:
    """Start `python -m producer.relay` as a process, which is killed after the test; its log is `relay.log`."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "producer.relay"]
        with (tmp_path / "relay.log").open("ab") as log:
            started.append(subprocess.Popen(command, cwd=SERVICE, env=service_environment, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
def relay_command(service_environment: dict[str, str]) -> RelayCommand:
    """Run one of the relay's commands to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "producer.relay", *arguments]
        return subprocess.run(
            command, cwd=SERVICE, env=service_environment, timeout=30, capture_output=True, text=True
        )

    return run


def grant_roles(database_url: str, secrets: Path) -> None:
    subprocess.run(
        [sys.executable, "migrate.py"],
        cwd=ROOT / "db",
        env=os.environ | {"DATABASE_URL": database_url, "SECRETS": str(secrets)},
        check=True,
        timeout=60,
    )


@pytest.fixture(scope="session")
def roles(stack: Stack, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The URL of the database for each role."""
    # Roles belong to the server, and the native stack's apps log in as them: they keep the passwords that they know.
    paths = Paths(stack.home)
    if not paths.secrets.exists():
        paths = Paths(tmp_path_factory.mktemp("roles"))
        create_role_passwords(paths, DATABASE)
    secrets = paths.secrets
    passwords = {role: pgpass(paths, role).read_text().strip().rpartition(":")[2] for role in ROLES}
    grant_roles(database_url, secrets)
    grant_roles(database_url, secrets)  # it runs at every start, so it must be repeatable
    url = sa.make_url(database_url)
    return {
        role: url.set(username=role, password=password).render_as_string(hide_password=False)
        for role, password in passwords.items()
    }


WELL = {
    "in_outbox": 0,
    "parked": 0,
    "discarded": 0,
    "repeats": 0,
    "out_of_order": 0,
    "missing": 0,
    "never_committed": 0,
}

Place = Callable[[], str]
Execute = Callable[..., None]


class LedgerCommand(Protocol):
    """The `ledger` fixture."""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def ledger(service_environment: dict[str, str]) -> LedgerCommand:
    """Run the ledger to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "producer.ledger", *arguments]
        return subprocess.run(
            command, cwd=SERVICE, env=service_environment, timeout=60, capture_output=True, text=True
        )

    return run


@pytest.fixture
def execute(engine: sa.Engine) -> Execute:
    """Run an SQL statement as the tables' owner."""

    def run(statement: str, **values: Any) -> None:
        with engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    return run


@pytest.fixture
def place(api: FlaskClient) -> Place:
    return lambda: str(api.post("/orders", json=ORDER).get_json()["id"])


@pytest.fixture
def write(settings: Settings) -> Callable[..., None]:
    """Write a message to the topic, past the outbox."""
    producer = Producer(producer_settings(settings))

    def write(value: bytes | None, key: str | bytes, headers: Any = None) -> None:
        producer.produce(settings.kafka_topic, value, key, headers=headers)
        assert producer.flush(10) == 0

    return write


@pytest.fixture
def published(
    start_relay: StartRelay, scalar: Scalar, topic_messages: TopicMessages
) -> Callable[[int], list[Message]]:
    """Start a relay, wait until the outbox is empty, and return the messages of the topic."""

    def publish(count: int) -> list[Message]:
        relay = start_relay()
        eventually(lambda: scalar("SELECT count(*) FROM outbox") == 0, within=30)
        relay.kill()
        relay.wait(10)
        return topic_messages(count)

    return publish


def figures(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    assert done.stdout, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found
