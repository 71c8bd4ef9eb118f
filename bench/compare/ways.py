"""The ways that are compared, each on a native stack of its own: PostgreSQL with durable commits, three brokers."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import psutil
import psycopg2

from bench.intake import THREADS, free_port, is_listening
from bench.publish import wait_until
from local_stack.services import BROKERS, CONNECT, CONNECTOR, POSTGRES, PRODUCER, RELAY, STORES
from local_stack.supervisord import processes
from tests.project import ROOT
from tests.stack import Stack

NAIVE = "naive"
# Of each way of ours: what it needs beside the stores. The first one publishes, and is the one that is killed.
SERVICES = {
    "direct": (PRODUCER, RELAY),
    "relay": (RELAY, PRODUCER),
    "debezium": (CONNECT, CONNECTOR, PRODUCER, RELAY),
}
WAYS = (NAIVE, *SERVICES)
CHECK_S = 0.05
READY_S = 120.0

# The row of an order that was changed is the change's: it has the commit time of the last change only.
STORED = """
    SELECT id::text, CASE status WHEN 'placed' THEN 1 ELSE 2 END,
           extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
    FROM {table} WHERE created_at >= %s
"""
EARLIER = "SELECT id::text FROM {table} WHERE id::text = ANY(%s) AND created_at < %s"


class CompareStack(Stack):
    """A stack whose commits are durable and whose database keeps the times of commits. publisher: as PUBLISHER."""

    publisher = "direct"

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"POSTGRES_FSYNC": "true", "PUBLISHER": self.publisher}

    def keep_commit_times(self) -> None:
        """Let PostgreSQL note when each transaction was committed; it has to be restarted for that."""
        with self.database() as cursor:
            cursor.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        self.run("restart", POSTGRES)

    @contextmanager
    def database(self) -> Iterator["psycopg2.extensions.cursor"]:
        """Give a cursor of the owner, outside of transactions."""
        connection = psycopg2.connect(self.env["DATABASE_URL"], connect_timeout=10)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


class Restarted:
    """Keeps a program running, as a service manager does: starts it again at once when it has ended."""

    def __init__(self, command: list[str], environment: Mapping[str, str]):
        self._command, self._environment = command, environment
        self._stop = threading.Event()
        self._lock = threading.Lock()  # what is being killed is not replaced before it has been waited for
        self._process = self._begin()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self.kill()

    def _begin(self) -> psutil.Popen:
        return psutil.Popen(self._command, cwd=ROOT, env=self._environment, stderr=subprocess.DEVNULL)

    def _run(self) -> None:
        while not self._stop.wait(CHECK_S):
            with self._lock:
                if self._process.poll() is not None:
                    self._process = self._begin()

    def processes(self) -> list[psutil.Process]:
        """Return the program's processes that run now."""
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """Kill it with all of its processes."""
        with self._lock:
            for process in self.processes():
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            self._process.wait(10)


@dataclass(frozen=True)
class Way:
    """A way that runs. port: of the web server that takes orders. table: where they are kept. kill_publisher: kill -9
    for what publishes. is_ready: whether everything is as it is without faults."""

    name: str
    stack: CompareStack
    port: int
    table: str
    kill_publisher: Callable[[], object]
    is_ready: Callable[[], bool]
    app_processes: Callable[[], list[psutil.Process]]

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return what runs now: the way's own processes, PostgreSQL and the brokers."""
        found = processes.find(self.stack.home)
        brokers = [process for broker in BROKERS for process in found.get(broker, [])]
        return {"app": self.app_processes(), "PostgreSQL": found.get(POSTGRES, []), "brokers": brokers}

    def stored(self, since: object) -> list[tuple[str, int, float | None]]:
        """Return the orders made since a time of the database: id, step and the time of the commit of that step."""
        with self.stack.database() as cursor:
            cursor.execute(STORED.format(table=self.table), [since])
            return list(cursor.fetchall())

    def earlier(self, order_ids: Iterable[str], since: object) -> set[str]:
        """Return those of the orders that were made before a time of the database."""
        with self.stack.database() as cursor:
            cursor.execute(EARLIER.format(table=self.table), [list(order_ids), since])
            return {order_id for (order_id,) in cursor.fetchall()}

    def now(self) -> object:
        """Return the time of the database."""
        with self.stack.database() as cursor:
            cursor.execute("SELECT now()")
            (row,) = cursor.fetchall()
            return row[0]


@contextmanager
def running(name: str) -> Iterator[Way]:
    """Start a way on a stack of its own, and kill all of it at the end. Raises TimeoutError when it is never ready."""
    with CompareStack.started() as stack:
        stack.publisher = name if name in SERVICES else "direct"
        stack.keep_commit_times()
        with _naive(stack) if name == NAIVE else _ours(stack, name) as way:
            wait_until(way.is_ready, READY_S)
            yield way


@contextmanager
def _ours(stack: CompareStack, name: str) -> Iterator[Way]:
    services = SERVICES[name]
    stack.run("start", *services)
    port = int(stack.env["PRODUCER_URL"].rsplit(":", 1)[1])

    def is_ready() -> bool:
        states = stack.services()
        return all(states[service]["health"] == "healthy" for service in (*STORES, *services))

    def app_processes() -> list[psutil.Process]:
        found = processes.find(stack.home)
        return [process for service in services for process in found.get(service, [])]

    yield Way(name, stack, port, "orders", lambda: stack.kill(services[0]), is_ready, app_processes)


@contextmanager
def _naive(stack: CompareStack) -> Iterator[Way]:
    """Run the demo's way: a topic made with the same settings, then its web server."""
    stack.run("start", PRODUCER)  # it migrates the database and makes the topic
    stack.run("stop", PRODUCER)
    port = free_port()
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": stack.env["DATABASE_URL"],
        "KAFKA_BOOTSTRAP_SERVERS": stack.env["KAFKA_BOOTSTRAP_SERVERS"],
        "KAFKA_TOPIC": "orders",
    }
    server = ["--worker-class", "gthread", "--threads", str(THREADS), "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *server]
    with Restarted([*command, "bench.naive_shop:create_app()"], environment) as shop:

        def is_ready() -> bool:
            states = stack.services()
            return is_listening(port) and all(states[name]["health"] == "healthy" for name in STORES)

        yield Way(NAIVE, stack, port, "naive_orders", shop.kill, is_ready, shop.processes)
