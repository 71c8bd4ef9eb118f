from contextlib import closing
from pathlib import Path

from local_stack.lifecycle.logs import LAST_LINES, Log


def test_the_last_lines_then_only_new_ones(tmp_path: Path):
    path = tmp_path / "relay.log"
    path.write_text("".join(f"{i}\n" for i in range(LAST_LINES + 50)))
    with closing(Log("relay", path)) as log:
        last = list(log.last())
        assert len(last) == LAST_LINES
        assert last[-1].endswith(f"| {LAST_LINES + 49}")
        with path.open("a") as file:
            file.write("news\n")
        assert [line.split(" | ")[1] for line in log.new()] == ["news"]


def test_nothing_is_missed_when_the_log_is_rotated(tmp_path: Path):
    path = tmp_path / "relay.log"
    path.write_text("first\n")
    with closing(Log("relay", path)) as log:
        seen = [*log.new()]
        with path.open("a") as file:
            file.write("just before\n")
        path.rename(tmp_path / "relay.log.1")
        path.write_text("after\n")
        seen += [*log.new(), *log.new()]
    assert [line.split(" | ")[1] for line in seen] == ["first", "just before", "after"]


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path):
    assert list(Log("relay", tmp_path / "relay.log").last()) == []
