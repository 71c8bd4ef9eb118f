from contextlib import closing
from pathlib import Path

from local_stack.lifecycle.logs import MAX_LINES, LogTail, last_line


def test_log_tail_reads_the_last_lines_then_only_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "relay.log"
    path.write_text("".join(f"{i}\n" for i in range(MAX_LINES + 50)))
    with closing(LogTail("relay", path)) as tail:
        last = list(tail.last_lines())
        assert len(last) == MAX_LINES
        assert last[-1].endswith(f"| {MAX_LINES + 49}")
        with path.open("a") as file:
            file.write("news\n")
        assert [line.split(" | ")[1] for line in tail.new_lines()] == ["news"]


def test_log_tail_loses_no_line_when_the_log_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "relay.log"
    path.write_text("first\n")
    with closing(LogTail("relay", path)) as tail:
        lines = [*tail.new_lines()]
        with path.open("a") as file:
            file.write("just before\n")
        path.rename(tmp_path / "relay.log.1")
        path.write_text("after\n")
        lines += [*tail.new_lines(), *tail.new_lines()]
    assert [line.split(" | ")[1] for line in lines] == ["first", "just before", "after"]


def test_log_tail_of_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert list(LogTail("relay", tmp_path / "relay.log").last_lines()) == []


def test_last_line_of_a_log_skips_empty_lines(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    log.write_text("first\nno room\n\n  \n")
    assert last_line(log) == f"no room (the whole log: {log})"


def test_last_line_of_a_java_program_is_why_it_ended(tmp_path: Path) -> None:
    log = tmp_path / "kafka-1.log"
    log.write_text(
        "java.lang.RuntimeException: Invalid cluster.id in: data/meta.properties\n"
        "\tat kafka.server.KafkaServer.startup(KafkaServer.scala:258)\n"
        "2026-11-27 19:29:44,384 INFO shutting down (kafka.server.KafkaServer)\n"
    )
    assert last_line(log).startswith(
        "java.lang.RuntimeException: Invalid cluster.id in: data/meta.properties ("
    )
