import os
import time
from pathlib import Path

import pytest

from producer.relay.heartbeat import MAX_AGE_S, problem


@pytest.fixture
def heartbeat(tmp_path: Path) -> Path:
    return tmp_path / "relay.heartbeat"


def touch(heartbeat: Path, age_s: float) -> None:
    heartbeat.touch()
    moment = time.time() - age_s
    os.utime(heartbeat, (moment, moment))


def test_fresh_heartbeat_is_no_problem(heartbeat: Path) -> None:
    touch(heartbeat, age_s=MAX_AGE_S - 5)
    assert problem(heartbeat) is None


def test_old_heartbeat_is_a_problem_with_its_age(heartbeat: Path) -> None:
    touch(heartbeat, age_s=MAX_AGE_S + 45)
    assert problem(heartbeat) in {f"The last sign of life is {age} s old." for age in range(60, 65)}


def test_missing_heartbeat_is_a_problem(heartbeat: Path) -> None:
    assert problem(heartbeat) == "No relay has run here."
