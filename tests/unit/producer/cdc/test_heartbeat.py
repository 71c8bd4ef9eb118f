import os
from pathlib import Path

import pytest

from producer.cdc import heartbeat


@pytest.mark.parametrize(
    ("told", "report"), [(None, "ok"), ("The connector is paused", "degraded The connector is paused")]
)
def test_keeper_that_is_alive_says_how_the_connector_is(
    tmp_path: Path, told: str | None, report: str
) -> None:
    file = tmp_path / "heartbeat"
    heartbeat.beat(file, told)
    assert heartbeat.problem(file) is None
    assert heartbeat.report(file) == report
    assert list(tmp_path.iterdir()) == [file]


def test_keeper_that_is_not_alive_is_told_from_one_that_never_was(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    assert heartbeat.problem(file) == "No keeper has run here."
    heartbeat.beat(file, None)
    os.utime(file, (1000, 1000))
    assert "The last sign of life is" in (heartbeat.problem(file) or "")
