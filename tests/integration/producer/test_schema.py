"""The schema as the running PostgreSQL has it: what it refuses by itself, how it is vacuumed, who may migrate."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from db.roles import ROLES
from tests.eventually import eventually
from tests.project import ROOT

ORDER = {
    "id": "01939b1e-6b1c-7c3a-8b1e-0123456789ab",
    "customer_name": "Ada",
    "item": "Basic Tee",
    "description": "",
    "unit_price": "32.00",
    "quantity": 2,
    "status": "placed",
    "version": 1,
    "created_at": "2026-11-22T14:05:06Z",
    "updated_at": "2026-11-22T14:05:06Z",
}
EVENT = {
    "id": "01939b1e-6b1c-7c3a-8b1e-0123456789ab",
    "aggregatetype": "order",
    "aggregateid": "01939b1e-6b1c-7c3a-8b1e-0123456789ac",
    "type": "order.placed",
    "payload": "{}",
    "version": 1,
    "direct": True,
    "due_at": "2026-11-22T14:05:06Z",
}
KEYED = {
    "key": "k",
    "fingerprint": b"",
    "status": 201,
    "body": b"",
    "expires_at": "2026-11-22T14:05:06Z",
}
DISCARDED = {
    "id": EVENT["id"],
    "aggregateid": EVENT["aggregateid"],
    "type": "order.placed",
    "version": 1,
    "payload": "{}",
    "parked_reason": "too large",
}
TABLES: dict[str, dict[str, Any]] = {
    "orders": ORDER,
    "outbox": EVENT,
    "idempotency_keys": KEYED,
    "outbox_discarded": DISCARDED,
}


def insert(engine: sa.Engine, table: str, row: dict[str, Any]) -> None:
    """Store a row and roll it back."""
    values = ", ".join(f":{name}" for name in row)
    with engine.connect() as connection:
        connection.execute(sa.text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"), row)


# --- CHECK and NOT NULL: what the API validates holds for every writer


@pytest.mark.parametrize("table", TABLES)
def test_row_as_the_producer_writes_it_is_taken(engine: sa.Engine, table: str) -> None:
    insert(engine, table, TABLES[table])


@pytest.mark.parametrize(
    ("column", "widest"),
    [
        ("customer_name", "ü" * 100),
        ("item", "ü" * 200),
        ("description", "ü" * 1000),
        ("unit_price", "9999999999.99"),
        ("unit_price", "0.01"),
        ("quantity", 10_000),
        ("status", "cancelled"),
    ],
)
def test_widest_order_is_taken(engine: sa.Engine, column: str, widest: Any) -> None:
    insert(engine, "orders", ORDER | {column: widest})


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("orders", "customer_name", ""),
        ("orders", "customer_name", "x" * 101),
        ("orders", "item", ""),
        ("orders", "item", "x" * 201),
        ("orders", "description", "x" * 1001),
        ("orders", "unit_price", "0"),
        ("orders", "unit_price", "-1"),
        ("orders", "unit_price", "NaN"),
        ("orders", "unit_price", "10000000000"),
        ("orders", "quantity", 0),
        ("orders", "quantity", 10_001),
        ("orders", "status", "lost"),
        ("orders", "version", 0),
        ("outbox", "version", 0),
        ("idempotency_keys", "key", ""),
        ("idempotency_keys", "key", "k" * 256),
        *[(table, column, None) for table, row in TABLES.items() for column in row],
    ],
)
def test_bad_row_is_refused(engine: sa.Engine, table: str, column: str, value: Any) -> None:
    with pytest.raises((IntegrityError, DataError)) as refused:
        insert(engine, table, TABLES[table] | {column: value})
    told = str(refused.value.orig)
    assert (
        f'null value in column "{column}"' in told if value is None else column in told or "overflow" in told
    )


def test_second_row_of_one_version_is_refused(engine: sa.Engine) -> None:
    second = EVENT | {"id": EVENT["aggregateid"]}
    both = " UNION ALL ".join(
        f"SELECT CAST('{row['id']}' AS uuid), 'order', CAST('{row['aggregateid']}' AS uuid), 'order.placed', '{{}}',"
        " 1, true, now()"
        for row in (EVENT, second)
    )
    with engine.connect() as connection, pytest.raises(IntegrityError, match="outbox_aggregateid_version"):
        connection.execute(sa.text(f"INSERT INTO outbox ({', '.join(EVENT)}) {both}"))


# --- Vacuum: a queue table grows by its dead rows


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (
            "outbox",
            {
                "autovacuum_vacuum_scale_factor": "0",
                "autovacuum_vacuum_threshold": "5000",
                "autovacuum_vacuum_insert_scale_factor": "0",
                "autovacuum_vacuum_insert_threshold": "50000",
                "autovacuum_analyze_scale_factor": "0",
                "autovacuum_analyze_threshold": "50000",
                "autovacuum_vacuum_cost_delay": "0",
            },
        ),
        (
            "idempotency_keys",
            {
                "autovacuum_vacuum_scale_factor": "0",
                "autovacuum_vacuum_threshold": "20000",
                "autovacuum_vacuum_cost_delay": "0",
            },
        ),
    ],
)
def test_table_is_vacuumed_by_its_dead_rows(engine: sa.Engine, table: str, wanted: dict[str, str]) -> None:
    options = sa.text("SELECT reloptions FROM pg_class WHERE oid = CAST(:name AS regclass)")
    with engine.connect() as connection:
        found = connection.execute(options, {"name": table}).scalar_one()
    assert dict(option.split("=") for option in found) == wanted


def test_autovacuum_is_on(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(sa.text("SHOW autovacuum")).scalar_one() == "on"


# --- Two migrators at once


@pytest.fixture
def start_migrator(database_url: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a command in db/ on the test's database; it is killed after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"DATABASE_URL": database_url, "SECRETS": str(tmp_path)}
        started.append(
            subprocess.Popen(
                [sys.executable, *command], cwd=ROOT / "db", env=environment, stderr=subprocess.DEVNULL
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize(
    ("lock", "command"),
    [(6_001_002, ("-m", "alembic", "upgrade", "head")), (6_001_003, ("migrate.py",))],
    ids=["migrations", "roles"],
)
def test_second_migrator_waits_for_the_first(
    engine: sa.Engine,
    start_migrator: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    lock: int,
    command: tuple[str, ...],
) -> None:
    """A running producer of the version before waits for neither."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = :lock"
    )
    with engine.connect() as first, engine.connect() as observer:
        first.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
        second = start_migrator(*command)
        eventually(lambda: observer.execute(waiting, {"lock": lock}).scalar_one() == 1, within=30)
        assert second.poll() is None
        first.rollback()
        assert second.wait(30) == 0


def test_roles_are_no_owners(engine: sa.Engine) -> None:
    """Whatever a role may read or write, none may change a table or give rights away."""
    owned = sa.text(
        "SELECT count(*) FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner WHERE rolname = ANY(:roles)"
    )
    with engine.connect() as connection:
        assert connection.execute(owned, {"roles": list(ROLES)}).scalar_one() == 0
