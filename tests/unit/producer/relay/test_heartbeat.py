import os
from pathlib import Path

from producer.relay import heartbeat
from producer.relay.heartbeat import EVERY_S, MAX_AGE_S, Heartbeat
from tests.clock import FakeClock


def test_heartbeat_of_a_relay_that_never_ran_is_a_problem(tmp_path: Path) -> None:
    assert heartbeat.problem(tmp_path / "heartbeat") == "No relay has run here."


def test_heartbeat_of_the_last_relay_does_not_count_for_the_next(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    Heartbeat(file).forget_the_last_relay()
    Heartbeat(file).beat({}, 0)
    Heartbeat(file).forget_the_last_relay()
    assert heartbeat.problem(file) == "No relay has run here."


def test_old_heartbeat_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    Heartbeat(file).beat({}, 0)
    assert heartbeat.problem(file) is None
    long_ago = file.stat().st_mtime - MAX_AGE_S - 1
    os.utime(file, (long_ago, long_ago))
    assert heartbeat.problem(file) == "The last sign of life is 16 s old."


def test_heartbeat_tells_which_partitions_lag_and_what_was_skipped(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    Heartbeat(file).beat({0: 0.2, 3: 12.4}, 2)
    assert heartbeat.report(file).splitlines() == [
        "Partition 3 has not been read back for 12 s; its orders are held.",
        "2 messages without an event id were skipped.",
    ]


def test_heartbeat_tells_that_the_topic_is_not_read_back_at_all(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    Heartbeat(file).beat({}, 0, away_s=12.4)
    assert heartbeat.report(file) == "The topic has not been read back for 12 s; all orders are held."


def test_heartbeat_is_written_once_a_second(tmp_path: Path) -> None:
    file, clock = tmp_path / "heartbeat", FakeClock()
    beating = Heartbeat(file, clock)
    beating.beat({}, 0)
    assert heartbeat.report(file) == "All partitions are read back."
    beating.beat({0: 5.0}, 0)
    assert heartbeat.report(file) == "All partitions are read back."
    clock.now += EVERY_S
    beating.beat({0: 6.0}, 0)
    assert "Partition 0" in heartbeat.report(file)
    assert [path.name for path in tmp_path.iterdir()] == ["heartbeat"]
