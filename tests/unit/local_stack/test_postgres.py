import os
from pathlib import Path

import psutil
import pytest

from local_stack.paths import Paths
from local_stack.postgres import remove_stale_pid_file


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
