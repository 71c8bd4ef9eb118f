"""The memory of a full disk."""

from types import SimpleNamespace
from typing import Any

import pytest

from producer.domain.database import ReadOnly
from producer.domain.disk_watch import DISK_FULL, REMEMBERED_S, DiskWatch
from tests.clock import FakeClock


def failure(pgcode: str) -> Any:
    """Return what SQLAlchemy tells its listeners of an error."""
    return SimpleNamespace(original_exception=SimpleNamespace(pgcode=pgcode))


def test_full_disk_is_remembered_for_a_while() -> None:
    clock = FakeClock()
    disk = DiskWatch(clock)
    disk.require_room()
    disk.notice(failure(DISK_FULL))
    clock.now += REMEMBERED_S - 0.1
    with pytest.raises(ReadOnly, match="disk is full"):
        disk.require_room()
    clock.now += 0.2
    disk.require_room()


def test_other_errors_are_not_a_full_disk() -> None:
    disk = DiskWatch(FakeClock())
    disk.notice(failure("40P01"))
    disk.require_room()
