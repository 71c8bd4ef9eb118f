import os
from pathlib import Path

import psutil
import pytest

from local_stack.paths import Paths
from local_stack.postgres import forget_dead_postmaster


@pytest.fixture
def note(tmp_path: Path) -> Path:
    (tmp_path / "postgres").mkdir()
    return tmp_path / "postgres" / "postmaster.pid"


def write(note: Path, pid: int, started: float) -> None:
    note.write_text(f"{pid}\n{note.parent}\n{int(started)}\n5432\n")


def test_a_note_whose_pid_is_somebody_elses_by_now_is_removed(note: Path):
    write(note, os.getpid(), started=1)
    forget_dead_postmaster(Paths(note.parent.parent))
    assert not note.exists()


def test_the_note_of_a_postmaster_that_lives_stays(note: Path):
    write(note, os.getpid(), psutil.Process().create_time())
    forget_dead_postmaster(Paths(note.parent.parent))
    assert note.exists()


def test_a_note_whose_pid_is_nobodys_is_left_to_postgres(note: Path):
    write(note, 2**22 + 1, started=1)
    forget_dead_postmaster(Paths(note.parent.parent))
    assert note.exists()


def test_no_note_is_fine(note: Path):
    forget_dead_postmaster(Paths(note.parent.parent))
