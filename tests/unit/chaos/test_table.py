import re
from pathlib import Path

from tests.chaos import table
from tests.chaos.faults import FAULTS, QUICK
from tests.chaos.table import BEGIN, END, Row
from tests.chaos.test_zookeeper import FAULTS as WITH_ZOOKEEPER
from tests.project import ROOT

PAGE = (ROOT / "docs" / "delivery.md").read_text()


def rows_of_the_page() -> set[str]:
    written = PAGE.partition(BEGIN)[2].partition(END)[0]
    return set(re.findall(r"^\| ([^|]+?) \| \d", written, re.MULTILINE))


def test_rows_are_written_between_the_comments(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nan old note\n{END}\nafter\n")
    table.write(
        page, [Row("kill -9: relay", 10, 1, 2, 3, 0.44, 2.26, 30), Row("b", 1, 0, 0, 0, 1, 1, 1)], "a note"
    )
    before, written, after = re.split(f"{BEGIN}|{END}", page.read_text())
    assert (before, after) == ("before\n", "\nafter\n")
    assert "an old note" not in written
    assert "\na note\n\n| Fault |" in written
    assert "| kill -9: relay | 10 | 1 | 2 | 3 | 0.4 s | 2.3 s of 30 |" in written


def test_fault_that_was_not_run_keeps_its_row(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}")
    table.write(page, [Row("a", 1, 0, 0, 0, 1, 1, 1), Row("b", 1, 0, 0, 0, 1, 1, 1)], "first")
    table.write(page, [Row("a", 2, 0, 0, 0, 1, 1, 1)], "second")
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| a | 2 | 0 | 0 | 0 | 1.0 s | 1.0 s of 1 |",
        "| b | 1 | 0 | 0 | 0 | 1.0 s | 1.0 s of 1 |",
    ]


def test_every_fault_has_a_row_in_the_page() -> None:
    assert {fault.name for fault in FAULTS} <= rows_of_the_page()


def test_every_fault_of_kafka_with_zookeeper_has_a_row_in_its_page() -> None:
    written = (ROOT / "docs" / "zookeeper.md").read_text().partition(BEGIN)[2].partition(END)[0]
    rows = set(re.findall(r"^\| ([^|]+?) \| \d", written, re.MULTILINE))
    assert {fault.name for fault in WITH_ZOOKEEPER} == rows


def test_every_row_that_a_promise_names_is_in_the_table() -> None:
    promises = PAGE.partition("## What is promised")[2].partition("## What is not promised")[0]
    promises = re.sub(r"`(ok|unavailable|stale|degraded|/health/ready)`", "", promises)
    named = set(re.findall(r"`([^`]+)`", promises))
    assert named
    assert named <= rows_of_the_page()


def test_faults_of_every_change_are_faults() -> None:
    assert set(QUICK) <= {fault.name for fault in FAULTS}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
