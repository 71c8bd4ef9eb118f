"""What the native stack promises of its stores, asked of the running server, the system and the file system."""

import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import sqlalchemy as sa

from local_stack.paths import Paths
from local_stack.ports import PORT_RANGE
from local_stack.services import CONNECT, STORES
from local_stack.supervisord import processes
from tests.stack import Stack


@pytest.fixture
def owner(postgres: sa.URL) -> Iterator[sa.Connection]:
    engine = sa.create_engine(postgres.set(drivername="postgresql+psycopg2"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        (
            "fsync",
            "off",
        ),  # as these tests have asked for; a user's own start: tests/e2e/test_start_project.py
        ("password_encryption", "scram-sha-256"),
        ("log_min_error_statement", "panic"),
        ("log_error_verbosity", "terse"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("server_encoding", "UTF8"),
        ("data_directory_mode", "0700"),
        ("max_connections", "160"),
    ],
)
def test_setting_of_postgresql_is_in_effect(owner: sa.Connection, setting: str, value: str) -> None:
    assert owner.scalar(sa.text(f"SHOW {setting}")) == value


def test_every_way_into_postgresql_asks_for_a_password(owner: sa.Connection) -> None:
    rules = owner.execute(
        sa.text("SELECT auth_method, user_name FROM pg_hba_file_rules ORDER BY rule_number")
    ).all()
    refused, *others = rules
    assert tuple(refused) == ("reject", [CONNECT])  # for physical replication: a copy of the whole server
    assert {method for method, _ in others} == {"scram-sha-256"}


@pytest.mark.parametrize("password", ["", "wrong"])
@pytest.mark.parametrize("database", ["orders", "postgres", "template1"])
def test_postgresql_refuses_who_does_not_know_the_password(
    postgres: sa.URL, database: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGPASSWORD", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1",
            port=postgres.port,
            user=postgres.username,
            password=password or None,
            dbname=database,
            connect_timeout=10,
        ).close()


def test_only_the_owner_of_the_stack_may_enter_its_folders(stack: Stack) -> None:
    home = Paths(stack.home)
    folders = (home.postgres, home.kafka, home.run, home.logs, home.secrets)
    brokers = [folder / "data" for folder in home.kafka.iterdir() if folder.is_dir()]
    assert len(brokers) == 3
    for folder in (*folders, *brokers):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for file in (home.password, home.env, home.postgres / "postgresql.conf"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_stores_listen_on_loopback_only_on_ports_that_nobody_is_lent(stack: Stack) -> None:
    running = processes.find(stack.home)
    for name in STORES:
        listening = {
            connection.laddr
            for process in running[name]
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening, name
        assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}, name
        assert all(address.port in PORT_RANGE for address in listening), name


def test_supervisor_answers_to_its_owner_only(stack: Stack) -> None:
    socket = Path(Paths(stack.home).socket_note.read_text())
    assert stat.S_ISSOCK(socket.stat().st_mode)
    assert stat.S_IMODE(socket.stat().st_mode) == stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    (supervisor,) = processes.find(stack.home)[processes.SUPERVISOR]
    assert not [each for each in supervisor.net_connections("inet") if each.status == psutil.CONN_LISTEN]
