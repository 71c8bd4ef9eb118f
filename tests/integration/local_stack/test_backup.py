"""Backups, the archive and restores, of a PostgreSQL of their own; docs/runbook.md is played in tests/e2e."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from local_stack import passwords, ports, postgres
from local_stack.paths import Paths
from local_stack.ports import free_ports
from local_stack.services import POSTGRES
from tests.eventually import eventually
from tests.project import ROOT


class Database:
    """PostgreSQL of a native stack that has nothing else."""

    def __init__(self, home: Path) -> None:
        self.paths = Paths(home)
        self.paths.create_folders()
        self.port = next(free_ports(set(), ports.is_free))
        self.paths.ports.write_text(json.dumps({POSTGRES: self.port}))
        postgres.create_cluster(self.paths)
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        postgres.write_configuration(self.paths, self.port, fsync=False)
        with self.paths.log(POSTGRES).open("ab") as log:
            self._server = subprocess.Popen(postgres.command(self.paths), stdout=log, stderr=log)
        eventually(self._answers, within=30)

    def stop(self) -> None:
        if self._server:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(30)
            self._server = None

    def _answers(self) -> bool:
        try:
            return self.execute("SELECT 1") == [(1,)]
        except psycopg2.OperationalError:
            return False

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        password = passwords.load_or_create_owner_password(self.paths)
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user="orders", dbname="orders", password=password
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def begin(self, *command: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "local_stack", "--home", str(self.paths.home), *map(str, command)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str | Path) -> str:
        """Return what a command says, and at its end `exit code N` unless that is 0."""
        process = self.begin(*command)
        said, _ = process.communicate(timeout=120)
        return f"{said}exit code {process.returncode}" if process.returncode else said

    def restore(self, folder: Path) -> str:
        """Restore, as after the loss of the server, and start again."""
        self.stop()
        said = self.run("restore", folder)
        self.start()
        return said


@pytest.fixture
def database(tmp_path: Path, interruptible: None) -> Iterator[Database]:
    database = Database(tmp_path / "home")
    database.start()
    database.execute("CREATE TABLE t AS SELECT 0 AS n")
    yield database
    database.stop()


def archive(database: Database, folder: Path, last: int) -> list[Path]:
    """Write rows 1 to `last`, each to a file of the archive of its own. Return the files."""
    process = database.begin("archive", folder)
    assert process.stdout
    files = []
    try:
        assert "writing to" in process.stdout.readline()
        for n in range(1, last + 1):
            # Of what is inserted: what is written may still end where the file before ends.
            file = "pg_walfile_name(pg_current_wal_insert_lsn())"
            [(name,)] = database.execute(f"INSERT INTO t VALUES ({n}) RETURNING {file}")
            database.execute("SELECT pg_switch_wal()")
            files.append(folder / "wal" / str(name))
            eventually(files[-1].exists, within=30)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    return files


def rows(database: Database) -> list[object]:
    return [n for (n,) in database.execute("SELECT n FROM t ORDER BY n")]


def test_archive_is_replayed_whatever_its_folder_is_called(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / 'a "b" c\'s $(exit 1) `exit 1` %f %p \\d'
    assert "checked" in database.run("backup", folder)
    archive(database, folder, last=1)
    assert "restored  base-" in database.restore(folder)
    assert rows(database) == [0, 1]


def test_archive_that_is_missing_stops_nothing(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    database.run("backup", folder)
    (folder / "wal").rename(tmp_path / "elsewhere")
    said = database.run("restore", folder)
    assert "the archive is missing. Nothing was changed." in said
    assert database.execute("SELECT 1") == [(1,)]


def test_hole_in_the_archive_is_an_error_and_what_comes_before_can_be_restored(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    database.run("backup", folder)
    first, second, third = archive(database, folder, last=3)
    second.unlink()
    said = database.restore(folder)
    assert f"The archive has a hole after {first.name}: the next file in wal/ is {third.name}." in said
    assert "Nothing was changed." in said
    assert said.endswith("exit code 1")
    assert rows(database) == [0, 1, 2, 3]
    for later in (third, *folder.glob("wal/*.partial")):
        later.unlink()
    assert "restored  base-" in database.restore(folder)
    assert rows(database) == [0, 1]


def test_archive_that_began_too_late_after_the_backup_has_a_hole(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    database.run("backup", folder)
    for file in archive(database, folder, last=2)[:1]:
        for earlier in folder.glob("wal/0*"):
            if earlier.name <= file.name:
                earlier.unlink()
    assert "The archive has a hole after" in database.restore(folder)


def test_each_restore_of_one_backup_is_a_history_of_its_own(database: Database, tmp_path: Path) -> None:
    folder, later = tmp_path / "backups", tmp_path / "later"
    database.run("backup", folder)
    assert "restored  base-" in database.restore(folder)
    assert "Name a new folder." in database.run("backup", folder)
    assert "checked" in database.run("backup", later)
    assert "checked" in database.run("backup", later)
    assert "restored  base-" in database.restore(folder)
    assert "Name a new folder." in database.run("backup", later)
    assert "Name a new folder." in database.run("archive", later)


def test_one_backup_at_a_time(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "error: Another backup is being taken to" in database.run("backup", folder)
    assert not list(folder.glob("base*"))
    assert "checked" in database.run("backup", folder)


def test_folders_of_backups_are_their_owners(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    database.run("backup", folder)
    assert [file for file in (folder, *folder.iterdir()) if file.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_restore_leaves_no_server_and_changes_nothing(
    database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    """The restore waits for a file of the archive, which is a pipe into which nobody writes."""
    folder = tmp_path / "backups"
    database.run("backup", folder)
    (label,) = folder.glob("base-*/backup_label")
    pipe = folder / "wal" / label.read_text().split("(file ")[1].split(")")[0]
    os.mkfifo(pipe)
    database.stop()
    restore = database.begin("restore", folder)
    writer = eventually(lambda: opened(pipe), within=60)
    restore.send_signal(number)
    said, _ = restore.communicate(timeout=60)
    os.close(writer)
    assert "Nothing was changed." in said
    assert restore.returncode == 130
    assert working_in(database.paths.home) == []
    assert not postgres.restored(database.paths).exists()
    database.start()
    assert rows(database) == [0]


def working_in(home: Path) -> list[psutil.Process]:
    """Return the processes of servers whose data is there."""
    found = [process for process in psutil.process_iter() if process.name() == POSTGRES]
    return [process for process in found if Path(process.cwd()).is_relative_to(home)]


def opened(pipe: Path) -> int:
    """Return a descriptor of a pipe once somebody reads from it."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0
