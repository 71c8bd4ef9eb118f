"""Whatever is on the topic or comes in by HTTP: nothing stops a partition, ends the process or fills its memory."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psutil
import pytest
import sqlalchemy as sa
from confluent_kafka.admin import AdminClient

from projector.services import REQUESTS_POOL
from projector.store.queries import MAX_VERSIONS
from tests.eventually import eventually
from tests.integration.projector.conftest import (
    READY_S,
    SERVICE,
    Command,
    Execute,
    Instance,
    Scalar,
    StartInstance,
    Topic,
)
from tests.order_events import TEST_EVENT, Sums, Told, sums

pytestmark = pytest.mark.timeout(400)

COUNTED = "SELECT coalesce(sum(events), 0) FROM projection.positions"
PARKED = "SELECT count(*) FROM projection.dead_letters WHERE discarded_at IS NULL"
UNPUBLISHED = "SELECT count(*) FROM projection.dead_letters WHERE published_at IS NULL"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
LARGEST = (1 << 20) - 300  # with its key and what Kafka adds, as much as a topic takes
MEMORY = 200 << 20  # of the 256 MiB that the container has


def told(number: int, **changes: Any) -> Told:
    return Told(UUID(int=number), **changes)


def with_fields(number: int, **fields: object) -> bytes:
    """Return the event of an order, with other fields in its `data`."""
    event = json.loads(told(number).value)
    event["data"] |= fields
    return json.dumps(event).encode()


def with_time(number: int, time: object) -> bytes:
    return json.dumps(json.loads(told(number).value) | {"time": time}).encode()


GOOD = [
    told(1, item='{"a",NULL}'),
    told(2, item="%s %(item)s :item {0} '; DROP TABLE orders; -- \\ \" $1 $$"),
    told(3, item="\U0001f6d2" * 200),
    told(4, status="returned"),
    told(5, total=Decimal("9999999999999999.99"), quantity=(1 << 31) - 1),
    told(6, version=(1 << 53) - 1),
    told(7, time=datetime(1, 1, 1, tzinfo=UTC)),
    told(8, time=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    told(0),
]
IGNORED = [TEST_EVENT, b'{"specversion":"1.0","type":""}', b'{"specversion":"1.0","type":"\\ud800"}']
BAD = [
    None, b"", b"null", b"[]", b"5", b'"', b"\xff", b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16"),
    b"[" * 500_000, b'{"a":' * 100_000, b'{"a":' + b"9" * 5000 + b"}",
    b'{"specversion":"1.0","type":5}', b'{"specversion":"1.0","type":"order."}',
    b'{"specversion":"1.0","type":"order.placed","data":[]}',
    with_fields(100, item="a\0b"), with_fields(101, item="\ud800"), with_fields(102, item=""),
    with_fields(103, item="x" * 201), with_fields(104, item=None),
    with_fields(105, version=0), with_fields(106, version=-1), with_fields(107, version=1 << 53),
    with_fields(108, version=1 << 63), with_fields(109, version=True), with_fields(110, version=1.0),
    with_fields(111, version="1"), with_fields(112, version=float("nan")),
    with_fields(113, quantity=0), with_fields(114, quantity=1 << 31), with_fields(115, quantity=1e400),
    with_fields(116, total="1e5"), with_fields(117, total="-1.00"), with_fields(118, total="1" * 17 + ".00"),
    with_fields(119, total="NaN"), with_fields(120, total="64"), with_fields(121, total=64),
    with_fields(122, total="\u0661.00"), with_fields(123, status="PLACED"), with_fields(124, status="x" * 41),
    with_fields(125, status="confirmed"), with_fields(126, order_id="x"), with_fields(127, order_id="\0" * 36),
    with_time(128, "0000-01-01T00:00:00Z"), with_time(129, "2026-02-30T00:00:00Z"),
    with_time(130, "2026-01-01T00:00:60Z"), with_time(131, "+10000-01-01T00:00:00Z"), with_time(132, 5),
]  # fmt: skip
REQUESTS = [
    "/stats?%FF=%FF", "/stats?minutes=%00", "/stats/series?minutes=%FF", "/stats/series?minutes=\xff",
    "/stats/series?minutes=1&minutes=x", "/stats/series?minutes=" + "9" * 3000, "/stats/items?limit=1%00",
    "/stats/items?limit=+1", "/stats/items?limit=%2B1", "/stats/items?limit=1_0", "/stats/items?limit=-0",
    "/orders/%00/timeline", "/orders/%FF/timeline", "/orders/../timeline", f"/orders/{'0' * 32}/timeline",
    f"/orders/{UUID(int=99)}/timeline/", f"/orders/urn:uuid:{UUID(int=99)}/timeline", "/stats/", "//stats",
    "/%2e%2e/%2e%2e/etc/passwd", "/health/ready?%", "*", "/",
]  # fmt: skip


def worker_of(instance: Instance) -> psutil.Process:
    assert instance.process
    (worker,) = psutil.Process(instance.process.pid).children()
    return worker


def test_whatever_is_on_the_topic_is_counted_ignored_or_parked(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    stored_sums: Callable[[], Sums],
    dlq: Command,
) -> None:
    instance = start_instance()
    eventually(lambda: instance.partitions, READY_S)
    worker = worker_of(instance).pid
    for number, value in enumerate([*BAD, *IGNORED]):
        key = [None, b"", b"\0\xff" * 50_000, str(UUID(int=1000 + number)).encode()][number % 4]
        topic.send(value, key)
    padded = json.loads(told(9).value) | {"more": "x" * 900_000}
    topic.send(json.dumps(padded).encode(), told(9).key)
    topic.send(told(10).value, told(11).key)  # the key of another order
    topic.put(GOOD)
    good = [*GOOD, told(9), told(10)]
    eventually(lambda: scalar(COUNTED) == len(good) and scalar(PARKED) == len(BAD), READY_S)
    assert stored_sums() == sums(good)
    eventually(lambda: scalar(UNPUBLISHED) == 0, READY_S)
    for path in ("/stats", "/stats/series?minutes=1440", "/stats/items?limit=100"):
        assert instance.get(path).status_code == 200
    for each in good:
        (version,) = instance.get(f"/orders/{each.order_id}/timeline").json()["versions"]
        assert datetime.fromisoformat(version["time"]) == each.time
    lines = dlq("list").stdout.splitlines()
    assert len(lines) == len(BAD)
    for line in lines[::12]:
        letter = line.split()[0]
        assert dlq("show", letter).exit_code == 0
        assert dlq("requeue", letter).stdout == "Applied 0; 1 still parked.\n"
        assert dlq("discard", letter).stdout == "Applied 0; 0 still parked.\n"
    assert worker_of(instance).pid == worker
    assert "Traceback" not in instance.log


def test_no_request_is_an_unexpected_error(topic: Topic, start_instance: StartInstance) -> None:
    topic.put([told(1)])
    instance = start_instance()
    eventually(lambda: instance.checks, READY_S)
    for path in REQUESTS:
        for method in ("GET", "HEAD", "OPTIONS", "POST", "X"):
            assert 200 <= status_of(instance, method, path) < 500, (method, path)
    for tag in ('"', "*", "W/", 'W/"x", *', "\xff", "," * 1000, '"x"' * 500):
        assert status_of(instance, "GET", "/stats", f"If-None-Match: {tag}") in (200, 304)
    assert "Traceback" not in instance.log


def status_of(instance: Instance, method: str, path: str, *headers: str) -> int:
    """Send a request as it is written here, and return the status of its answer."""
    with socket.create_connection(("127.0.0.1", instance.port), 15) as connection:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        return int(connection.makefile("rb").readline().split()[1])


def test_half_requests_hold_up_nobody(topic: Topic, start_instance: StartInstance) -> None:
    instance = start_instance()
    eventually(lambda: instance.checks, READY_S)
    with ExitStack() as open_connections:
        for _ in range(20):
            connection = socket.create_connection(("127.0.0.1", instance.port))
            open_connections.enter_context(connection)
            connection.sendall(b"GET /stats HTTP/1.1\r\nHost: local")
        assert instance.get("/health/live").status_code == 200
        assert instance.checks["database"]["status"] == "ok"


@contextmanager
def locked(engine: sa.Engine, table: str) -> Iterator[None]:
    """Have everybody wait who reads a table."""
    with engine.connect() as connection:
        for statement in ("BEGIN", f"LOCK TABLE {table}"):
            connection.execute(sa.text(statement))
        yield
        connection.execute(sa.text("ROLLBACK"))


def test_requests_that_are_slow_stop_neither_the_counting_nor_the_others(
    topic: Topic, start_instance: StartInstance, scalar: Scalar, projection_engine: sa.Engine
) -> None:
    instance = start_instance(database_timeout_s=20)
    topic.put([told(1)])
    eventually(lambda: scalar(COUNTED) == 1 and instance.checks, READY_S)
    with locked(projection_engine, "projection.minutes"), ExitStack() as open_connections:
        for _ in range(8):
            connection = socket.create_connection(("127.0.0.1", instance.port))
            open_connections.enter_context(connection)
            connection.sendall(b"GET /stats/series HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # The thread that publishes the figures waits with them, sooner or later.
        eventually(lambda: scalar(WAITING) in (REQUESTS_POOL, REQUESTS_POOL + 1), every=0.01)
        for path in ("/health/live", "/health/ready"):
            response = instance.get(path)
            assert (response.status_code, response.elapsed < timedelta(seconds=2)) == (200, True)
        assert instance.get("/stats").status_code == 503
        topic.send(TEST_EVENT, b"t")
        topic.flush()
        eventually(lambda: scalar("SELECT sum(ignored) FROM projection.positions") == 1, within=3)
        assert scalar(WAITING) in (REQUESTS_POOL, REQUESTS_POOL + 1)


def test_a_flood_of_large_garbage_is_parked_and_published_in_little_memory(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    execute: Execute,
    environment: dict[str, str],
    dead_letters_on_topic: Callable[[int], list[Any]],
) -> None:
    execute(  # as after a time without Kafka
        'INSERT INTO projection.dead_letters (topic_id, partition, "offset", value, time, error)'
        " SELECT 'another', 0, number, convert_to(repeat('{', 900000), 'UTF8'), now(), 'not JSON'"
        " FROM generate_series(1, 150) AS number"
    )
    for number in range(50):
        topic.send(b"{" * 900_000, told(number).key)
        topic.flush()
    count = 200
    instance = start_instance()
    eventually(lambda: scalar(PARKED) == count and scalar(UNPUBLISHED) == 0, READY_S)
    assert peak_memory(worker_of(instance)) < MEMORY
    listing = subprocess.run(
        [sys.executable, "-c", TELL_MEMORY, sys.executable, "-m", "projector", "dlq", "list"],
        cwd=SERVICE, env=os.environ | environment, stdout=subprocess.PIPE, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert int(listing.stdout.splitlines()[-1]) << 10 < MEMORY
    assert len(dead_letters_on_topic(count)) == count


# Runs a command and prints the most memory that it used, in KiB. In a small process, since the most of a child begins
# with what its parent had when it was forked.
TELL_MEMORY = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_memory(process: psutil.Process) -> int:
    """Return the most bytes of memory that a process has ever used."""
    with open(f"/proc/{process.pid}/status") as status:
        (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def test_letter_that_is_too_large_for_its_topic_is_published_without_its_value(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    dead_letters_on_topic: Callable[[int], list[Any]],
) -> None:
    """The limit is of the message with its headers, and those of a dead letter come on top."""
    large = b"{" * LARGEST
    topic.put_large(large, told(1).key)
    topic.send(b"{", told(2).key)
    topic.flush()
    instance = start_instance()
    eventually(lambda: scalar(PARKED) == 2 and scalar(UNPUBLISHED) == 0, READY_S)
    letters = {each.key(): each for each in dead_letters_on_topic(2)}
    assert len(letters) == 2
    assert letters[told(2).key].value() == b"{"
    bare = letters[told(1).key]
    assert bare.value() is None
    assert dict(bare.headers())["dlq-value-left-out"] == str(len(large)).encode()
    assert dict(bare.headers())["dlq-error"] == b"not JSON"
    assert instance.checks["dead_letters"]["unpublished"] == 0


def test_topic_of_dead_letters_that_was_deleted_is_created_again(
    topic: Topic,
    kafka: str,
    start_instance: StartInstance,
    scalar: Scalar,
    dead_letters_on_topic: Callable[[int], list[Any]],
) -> None:
    start_instance()
    topic.send(b"{", told(1).key)
    topic.flush()
    eventually(lambda: scalar(PARKED) == 1 and scalar(UNPUBLISHED) == 0, READY_S)
    name = f"{topic.name}.dlq"
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})  # kept until its answer is there
    admin.delete_topics([name])[name].result(15)
    topic.send(b"[", told(2).key)
    topic.flush()
    eventually(lambda: scalar(PARKED) == 2 and scalar(UNPUBLISHED) == 0, READY_S)
    assert dead_letters_on_topic(1)[-1].value() == b"["


def test_a_letter_gives_no_orders_to_the_terminal(
    empty_read_models: None, execute: Execute, scalar: Scalar, dlq: Command
) -> None:
    value = "\x1b[2J\x9b2J\u202e\u00e9"
    execute(
        'INSERT INTO projection.dead_letters (topic_id, partition, "offset", value, time, error)'
        f" VALUES ('another', 0, 0, '\\x{value.encode().hex()}', now(), 'not JSON')"
    )
    shown = dlq("show", str(scalar("SELECT id FROM projection.dead_letters"))).stdout
    assert json.loads(shown)["value"] == value
    assert not set("\x1b\x9b\u202e") & set(shown)
    assert "\u00e9" in shown


def test_an_order_with_any_number_of_versions_has_an_answer(
    topic: Topic, start_instance: StartInstance, scalar: Scalar, execute: Execute
) -> None:
    execute(
        "INSERT INTO projection.timeline SELECT '00000000-0000-0000-0000-000000000001', version, 'placed', now(), 0,"
        " version FROM generate_series(1, 3000) AS version"
    )
    instance = start_instance()
    eventually(lambda: instance.checks, READY_S)
    versions = instance.get(f"/orders/{UUID(int=1)}/timeline").json()["versions"]
    assert [each["version"] for each in versions] == list(range(1, MAX_VERSIONS + 1))
