"""The real projector under gunicorn, on a topic and a database that only the tests use."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest
import requests
import sqlalchemy as sa
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from projector.cli import cli
from tests.conftest import DRIVER
from tests.eventually import eventually
from tests.order_events import Sums, Told
from tests.project import ROOT

SERVICE = ROOT / "projector_service"
PARTITIONS = 4
SESSION_S = 6
READY_S = 90  # several processes start, join and time out, on a machine that others use too

Scalar = Callable[[str], Any]
Execute = Callable[[str], None]


class Topic:
    """A topic in Kafka whose messages go to the partition of their key, as the producer's do."""

    def __init__(self, admin: AdminClient, producer: Producer, large: Producer) -> None:
        self.name = f"projected-{uuid.uuid4().hex[:12]}"
        self._admin, self._producer, self._large = admin, producer, large

    def create(self) -> None:
        """Create the topic. Raises KafkaException, also while one of that name is still being deleted."""
        new = NewTopic(self.name, PARTITIONS, 3, config={"min.insync.replicas": "2"})
        self._admin.create_topics([new], operation_timeout=10)[self.name].result(15)

    def delete(self, *others: str) -> None:
        for name, future in self._admin.delete_topics([self.name, *others], operation_timeout=10).items():
            try:
                future.result(15)
            except KafkaException as error:
                if name == self.name or error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise

    def put(self, told: Iterable[Told]) -> None:
        """Publish events in order, and wait until Kafka has acknowledged them."""
        for each in told:
            self.send(each.value, each.key)
        assert self._producer.flush(30) == 0

    def send(self, value: bytes | None, key: bytes | None, partition: int = -1) -> None:
        """Hand a message to the client."""
        self._producer.produce(self.name, value, key, partition)
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def put_large(self, value: bytes, key: bytes) -> None:
        """Publish a message as large as the broker takes it; our own client takes less."""
        self._large.produce(self.name, value, key)
        assert self._large.flush(30) == 0

    def grow(self, partitions: int) -> None:
        """Add partitions, so that there are as many as this."""
        new = [NewPartitions(self.name, partitions)]
        self._admin.create_partitions(new, operation_timeout=10)[self.name].result(15)
        eventually(
            lambda: len(self._producer.list_topics(self.name, 5).topics[self.name].partitions) == partitions
        )

    def delete_before(self, partition: int, offset: int) -> None:
        """Delete the messages before the offset, as retention does."""
        for future in self._admin.delete_records([TopicPartition(self.name, partition, offset)]).values():
            future.result(15)


class Instance:
    """`gunicorn projector:create_app()` as a process, on a port that stays the same over restarts."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._environment, self._log = os.environ | environment, log
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Start the process."""
        command = ["-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "projector:create_app()"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], cwd=SERVICE, env=self._environment, stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=15)

    @property
    def checks(self) -> dict[str, Any]:
        """The checks of /health/ready. Raises AssertionError while it is not ready."""
        try:
            response = self.get("/health/ready")
        except requests.RequestException as error:
            raise AssertionError("not up yet") from error
        assert response.status_code == 200, response.text
        checks: dict[str, Any] = response.json()["checks"]
        return checks

    @property
    def partitions(self) -> list[int]:
        """The partitions that it reads now."""
        partitions: list[int] = self.checks["group"]["partitions"]
        return partitions

    def signal(self, sent: signal.Signals) -> None:
        """Send a signal to the process and its worker."""
        assert self.process
        for pid in (self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children())):
            os.kill(pid, sent)

    def kill(self) -> None:
        """End it as an out-of-memory killer might."""
        assert self.process
        self.signal(signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        assert self.process
        self.process.terminate()
        code = self.process.wait(15)
        self.process = None
        return code


@pytest.fixture(scope="session")
def projection_engine(database_url: str) -> Iterator[sa.Engine]:
    """The owner's engine, each statement in a transaction of its own."""
    url = sa.make_url(database_url).set(drivername=DRIVER)
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def execute(projection_engine: sa.Engine) -> Execute:
    def run(statement: str) -> None:
        with projection_engine.connect() as connection:
            connection.execute(sa.text(statement))

    return run


@pytest.fixture
def scalar(projection_engine: sa.Engine) -> Scalar:
    def run(query: str) -> Any:
        with projection_engine.connect() as connection:
            return connection.execute(sa.text(query)).scalar_one()

    return run


@pytest.fixture
def empty_read_models(execute: Execute) -> None:
    """Nothing is in the read models, nor in the orders that a rebuild compares them with."""
    execute(
        "TRUNCATE projection.positions, projection.timeline, projection.orders, projection.totals,"
        " projection.minutes, projection.items, projection.dead_letters, orders, outbox"
    )


@pytest.fixture
def topic(kafka: str, empty_read_models: None) -> Iterator[Topic]:
    """A topic for this test only."""
    # log_level 0: at the end of a run the clients outlive the brokers for a moment.
    quiet: dict[str, str | int | float | bool] = {"bootstrap.servers": kafka, "log_level": 0}
    own = {"enable.idempotence": True, "linger.ms": 5, "partitioner": "murmur2_random"}
    large = Producer(quiet | own | {"message.max.bytes": 4 << 20})
    topic = Topic(AdminClient(quiet), Producer(quiet | own), large)
    topic.create()
    yield topic
    topic.delete(f"{topic.name}.dlq", f"{topic.name}.stats")


@pytest.fixture
def environment(kafka: str, database_url: str, topic: Topic) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "KAFKA_TOPIC": topic.name,
        "KAFKA_STATS_TOPIC": f"{topic.name}.stats",
        "DATABASE_URL": database_url,
        "PROJECTOR_GROUP": topic.name,
        "PROJECTOR_SESSION_TIMEOUT_S": str(SESSION_S),
    }


class StartInstance(Protocol):
    """The `start_instance` fixture. settings: environment variables, in lower case."""

    def __call__(self, name: str = "one", **settings: object) -> Instance: ...


@pytest.fixture
def start_instance(environment: dict[str, str], tmp_path: Path) -> Iterator[StartInstance]:
    """Start an instance of the projector; it is killed after the test."""
    started: list[Instance] = []

    def start(name: str = "one", **settings: object) -> Instance:
        more = {key.upper(): str(value) for key, value in settings.items()}
        own = environment | {"PROJECTOR_INSTANCE_ID": name} | more
        started.append(Instance(own, tmp_path / f"{name}.log"))
        started[-1].spawn()
        return started[-1]

    yield start
    for each in started:
        if each.process:
            each.kill()


class Command(Protocol):
    """The `dlq` and `rebuild` fixtures."""

    def __call__(self, *arguments: str) -> Result: ...


@pytest.fixture
def dlq(environment: dict[str, str]) -> Command:
    """Run `python -m projector dlq`, within this process: its start is what takes longest."""
    return lambda *arguments: CliRunner().invoke(cli, ["dlq", *arguments], env=environment)


@pytest.fixture
def rebuild(environment: dict[str, str]) -> Command:
    """Run `python -m projector rebuild`, within this process."""
    return lambda *arguments: CliRunner().invoke(cli, ["rebuild", *arguments], env=environment)


@pytest.fixture
def stored_sums(projection_engine: sa.Engine) -> Callable[[], Sums]:
    """Read what the read models add up to, over all shards."""

    def read() -> Sums:
        with projection_engine.connect() as connection:

            def rows(query: str) -> list[Any]:
                return [tuple(row) for row in connection.execute(sa.text(query))]

            [(events,)] = rows("SELECT coalesce(sum(events), 0)::bigint FROM projection.positions")
            totals = rows(
                "SELECT status, sum(orders)::bigint, sum(amount) FROM projection.totals"
                " GROUP BY 1 HAVING sum(orders) <> 0"
            )
            minutes = rows(
                "SELECT minute, status, sum(events)::bigint, sum(amount) FROM projection.minutes GROUP BY 1, 2"
            )
            items = rows(
                "SELECT item, sum(orders)::bigint, sum(quantity)::bigint, sum(amount) FROM projection.items"
                " GROUP BY 1 HAVING sum(orders) <> 0"
            )
        return Sums(
            events,
            {status: (number, money) for status, number, money in totals},
            {(minute, status): (number, money) for minute, status, number, money in minutes},
            {item: tuple(numbers) for item, *numbers in items},
        )

    return read


@pytest.fixture
def dead_letters_on_topic(kafka: str, topic: Topic) -> Callable[[int], list[Any]]:
    """Read the topic for dead letters; return all messages once there are at least `count`."""

    def read(count: int) -> list[Any]:
        settings = {
            "bootstrap.servers": kafka,
            "group.id": "unused",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
        consumer = Consumer(settings | {"enable.auto.commit": False})
        consumer.assign([TopicPartition(f"{topic.name}.dlq", 0, 0)])
        found: list[Any] = []

        def are_enough() -> bool:
            found.extend(each for each in consumer.consume(100, timeout=0.2) if each.error() is None)
            return len(found) >= count

        try:
            eventually(are_enough, READY_S)
        finally:
            consumer.close()
        return found

    return read
