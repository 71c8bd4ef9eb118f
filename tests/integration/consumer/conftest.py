"""The real consumer under gunicorn, on a topic that only the test uses."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest
import requests
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.eventually import eventually
from tests.integration.consumer.listener import Listener
from tests.project import ROOT

SERVICE = ROOT / "consumer_service"
PARTITIONS = 3
READY_S = 20


class Topic:
    """A topic in Kafka with three partitions of three replicas."""

    def __init__(self, admin: AdminClient, producer: Producer) -> None:
        self.name = f"viewed-{uuid.uuid4().hex[:12]}"
        self._admin = admin
        self._producer = producer

    def create(self) -> None:
        new = NewTopic(self.name, PARTITIONS, 3, config={"min.insync.replicas": "2"})
        self._admin.create_topics([new], operation_timeout=10)[self.name].result(15)

    def delete(self) -> None:
        self._admin.delete_topics([self.name], operation_timeout=10)[self.name].result(15)

    def put(self, *values: bytes | None, partition: int = 0) -> None:
        """Publish the values, in order, and wait until Kafka has acknowledged them."""
        refused = []
        for value in values:
            self._producer.produce(
                self.name,
                value=value,
                partition=partition,
                on_delivery=lambda error, _: refused.append(error) if error else None,
            )
        assert self._producer.flush(15) == 0
        assert not refused

    def delete_before(self, partition: int, offset: int) -> None:
        """Delete the events before the offset, as retention does."""
        futures = self._admin.delete_records([TopicPartition(self.name, partition, offset)])
        for future in futures.values():
            future.result(15)


class Server:
    """`gunicorn consumer:create_app()` as a process, on a port that stays the same over restarts."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._environment = os.environ | environment
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def spawn(self) -> None:
        command = ["-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "consumer:create_app()"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], cwd=SERVICE, env=self._environment, stdout=log, stderr=log
            )

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        self.spawn()
        eventually(lambda: self.health().status_code == 200, READY_S)

    def health(self) -> requests.Response:
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5)
        except requests.ConnectionError as error:
            raise AssertionError("not up yet") from error

    @property
    def checks(self) -> dict[str, Any]:
        checks: dict[str, Any] = self.health().json()["checks"]
        return checks

    def workers(self) -> list[psutil.Process]:
        assert self.process
        return psutil.Process(self.process.pid).children()

    def stop(self, sent: signal.Signals = signal.SIGTERM, within: float = 10) -> int:
        """Send the signal and return the exit code. Raises TimeoutExpired after `within` seconds."""
        assert self.process
        self.process.send_signal(sent)
        code = self.process.wait(within)
        self.process = None
        return code

    def listen(self, last_event_id: str | None = None, start: str | None = None, **wanted: str) -> Listener:
        return Listener(self.port, last_event_id, start, **wanted)

    def get(self, path: str, **query: Any) -> requests.Response:
        return requests.get(self.url + path, params=query, timeout=15)


@pytest.fixture(scope="session")
def kafka_clients(kafka: str) -> tuple[AdminClient, Producer]:
    """Clients that log nothing: at the end of a run they outlive the brokers for a moment."""
    settings: dict[str, str | int | float | bool] = {"bootstrap.servers": kafka, "log_level": 0}
    # Idempotent, or a batch that is sent again arrives after its successors.
    return AdminClient(settings), Producer(settings | {"enable.idempotence": True, "linger.ms": 1})


@pytest.fixture
def topic(kafka_clients: tuple[AdminClient, Producer]) -> Iterator[Topic]:
    topic = Topic(*kafka_clients)
    topic.create()
    yield topic
    topic.delete()


class StartServer(Protocol):
    """The `start_server` fixture. settings: environment variables, in lower case."""

    def __call__(self, *, ready: bool = True, **settings: object) -> Server: ...


@pytest.fixture
def start_server(kafka: str, topic: Topic, tmp_path: Path) -> Iterator[StartServer]:
    """Start a consumer on the test's topic, ready unless told otherwise; it is killed after the test."""
    servers: list[Server] = []

    def start(*, ready: bool = True, **settings: object) -> Server:
        environment = {name.upper(): str(value) for name, value in settings.items()}
        addresses = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "KAFKA_TOPIC": topic.name}
        server = Server(addresses | environment, tmp_path / f"consumer-{len(servers)}.log")
        servers.append(server)
        if ready:
            server.start()
        else:
            server.spawn()
        return server

    yield start
    for server in servers:
        if server.process:
            server.process.kill()
            server.process.wait()


@pytest.fixture
def consumer_server(start_server: StartServer) -> Server:
    return start_server()
