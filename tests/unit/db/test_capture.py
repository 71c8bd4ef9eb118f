"""db/capture.py on a server in memory; tests/integration/producer/test_migrations.py has a real one."""

import importlib
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from tests.project import ROOT


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "db")
    return importlib.import_module("capture")


class FakeServer:
    """Stands for engine, connection and result alike. active: whether the slot is read; None without one. refuses: a
    function that fails."""

    def __init__(self, wal_level: str = "logical", active: bool | None = None, refuses: str = "") -> None:
        self.wal_level, self.active, self.statements = wal_level, active, list[str]()
        self.refuses, self.waited_s = refuses, 0.0

    def pause(self, seconds: float) -> None:
        self.waited_s += seconds

    def connect(self) -> "FakeServer":
        return self

    def execution_options(self, **options: Any) -> "FakeServer":
        return self

    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def execute(self, statement: Any, values: Any = None) -> "FakeServer":
        self.statements.append(str(statement))
        if self.refuses and self.refuses in str(statement):
            raise sa.exc.OperationalError(str(statement), values, Exception("it is in use"))
        return self

    def scalar(self) -> bool | None:
        return self.active

    def scalar_one(self) -> str:
        return self.wal_level

    def did(self, function: str) -> bool:
        return any(function in statement for statement in self.statements)


def test_slot_is_made_for_debezium_once(capture: ModuleType) -> None:
    server = FakeServer()
    capture.prepare(server, "debezium", "outbox")
    assert server.did("pg_create_logical_replication_slot")
    for active in (False, True):
        server = FakeServer(active=active)
        capture.prepare(server, "debezium", "outbox")
        assert not server.did("pg_create_logical_replication_slot")
        assert not server.did("pg_drop_replication_slot")


@pytest.mark.parametrize("publisher", ["direct", "relay"])
def test_slot_that_nobody_reads_is_dropped_for_other_publishers(capture: ModuleType, publisher: str) -> None:
    for active, dropped in ((False, True), (True, False), (None, False)):
        server = FakeServer(active=active)
        capture.prepare(server, publisher, "outbox", server.pause)
        assert server.did("pg_drop_replication_slot") is dropped
        assert not server.did("pg_create_logical_replication_slot")


def test_reader_that_was_stopped_a_moment_ago_is_waited_for(capture: ModuleType) -> None:
    server = FakeServer(active=True)

    def leave(seconds: float) -> None:
        server.pause(seconds)
        server.active = server.waited_s < 2

    capture.prepare(server, "direct", "outbox", leave)
    assert server.did("pg_drop_replication_slot")
    still = FakeServer(active=True)
    capture.prepare(still, "direct", "outbox", still.pause)
    assert still.waited_s == capture.LEAVES_S


@pytest.mark.parametrize(
    ("publisher", "active", "function"),
    [
        # the keeper has made it meanwhile, or a transaction has been open for longer than one is waited for
        ("debezium", None, "pg_create_logical_replication_slot"),
        ("direct", False, "pg_drop_replication_slot"),  # a reader has come back meanwhile
    ],
)
def test_slot_does_not_keep_the_producer_from_starting(
    capture: ModuleType, caplog: pytest.LogCaptureFixture, publisher: str, active: bool | None, function: str
) -> None:
    server = FakeServer(active=active, refuses=function)
    capture.prepare(server, publisher, "outbox", server.pause)
    assert "The replication slot outbox stays as it is: it is in use" in caplog.text


def test_server_without_logical_decoding_is_told_with_what_to_do(capture: ModuleType) -> None:
    with pytest.raises(
        capture.NoLogicalDecoding, match="this PostgreSQL has wal_level=replica: ALTER SYSTEM SET"
    ):
        capture.prepare(FakeServer("replica"), "debezium", "outbox")
