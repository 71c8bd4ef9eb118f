import os
import stat
from pathlib import Path

import psutil
import pytest

from local_stack.config import Settings
from local_stack.errors import StackError
from local_stack.paths import Paths
from local_stack.postgres import create_cluster, remove_stale_pid_file, restored, write_configuration


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    (tmp_path / "postgres").mkdir()
    return tmp_path / "postgres" / "postmaster.pid"


def write(pid_file: Path, pid: int, started: float) -> None:
    pid_file.write_text(f"{pid}\n{pid_file.parent}\n{int(started)}\n5432\n")


def test_pid_file_of_an_unrelated_process_is_removed(pid_file: Path) -> None:
    write(pid_file, os.getpid(), started=1)
    remove_stale_pid_file(Paths(pid_file.parent.parent))
    assert not pid_file.exists()


def test_pid_file_of_a_running_postmaster_stays(pid_file: Path) -> None:
    write(pid_file, os.getpid(), psutil.Process().create_time())
    remove_stale_pid_file(Paths(pid_file.parent.parent))
    assert pid_file.exists()


def test_pid_file_whose_process_has_ended_is_left_to_postgres(pid_file: Path) -> None:
    write(pid_file, 2**22 + 1, started=1)
    remove_stale_pid_file(Paths(pid_file.parent.parent))
    assert pid_file.exists()


def test_pid_file_may_be_missing(pid_file: Path) -> None:
    remove_stale_pid_file(Paths(pid_file.parent.parent))
    assert not pid_file.exists()


def test_no_empty_database_is_made_where_a_restore_was_interrupted(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    restored(paths).mkdir()
    with pytest.raises(StackError, match=r"A restore was interrupted.* restore again, or delete"):
        create_cluster(paths)
    assert list(tmp_path.iterdir()) == [restored(paths)]


@pytest.mark.parametrize(("fsync", "value"), [(True, "on"), (False, "off")])
def test_server_listens_on_loopback_only_and_syncs_as_it_is_told(
    tmp_path: Path, fsync: bool, value: str
) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "pg_hba.conf").touch()
    write_configuration(Paths(tmp_path), 5432, fsync)
    file = tmp_path / "postgres" / "postgresql.conf"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    settings = dict(line.split(" = ") for line in lines)
    assert settings["listen_addresses"] == "'127.0.0.1'"
    assert settings["unix_socket_directories"] == "''"
    assert settings["fsync"] == value
    assert settings["port"] == "5432"
    assert not {"synchronous_commit", "full_page_writes", "hba_file"} & set(settings)
    assert settings["wal_level"] == "logical"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_server_syncs_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTGRES_FSYNC", raising=False)
    assert Settings().postgres_fsync is True


def test_role_of_debezium_may_not_copy_the_server_also_where_the_data_is_of_an_older_release(
    tmp_path: Path,
) -> None:
    """The first rule that fits decides; `replication` is not the logical one."""
    paths = Paths(tmp_path)
    paths.postgres.mkdir()
    (paths.postgres / "pg_hba.conf").write_text("host replication all 127.0.0.1/32 scram-sha-256\n")
    for _ in range(2):
        write_configuration(paths, 5432, True)
    assert (paths.postgres / "pg_hba.conf").read_text().splitlines() == [
        "host replication connect all reject",
        "host replication all 127.0.0.1/32 scram-sha-256",
    ]
