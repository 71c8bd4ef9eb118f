"""The table of bench.zookeeper, and where it is written."""

from pathlib import Path

from bench.failover import Load
from bench.zookeeper import BEGIN, END, table, write

ROUNDS = {
    "KRaft": [
        {"start, s": 3.0, "nothing": 0.0},
        {"start, s": 5.0, "nothing": 0.0},
        {"start, s": 4.0, "nothing": 0.0},
    ],
    "ZooKeeper": [{"start, s": 8.0, "nothing": 0.0, "only here": 1.0}],
}


def test_table_has_medians_with_their_range_side_by_side() -> None:
    assert table(ROUNDS, "3 rounds").splitlines() == [
        "Medians with their range of 3 rounds.",
        "",
        "| | KRaft | ZooKeeper |",
        "|---|---|---|",
        "| start, s | 4.00 (3.00 to 5.00) | 8.00 (8.00 to 8.00) |",
        "| nothing | 0 | 0 |",
        "| only here |  | 1.00 (1.00 to 1.00) |",
    ]


def test_table_replaces_the_one_of_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    write(page, "new")
    assert page.read_text() == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"


def test_longest_delivery_is_that_of_what_was_sent_since_the_fault() -> None:
    load = Load("nowhere:1", latencies_s=[(1.0, 9.0), (5.0, 0.2), (6.0, 3.5), (7.0, 0.1)])
    assert load.worst_s(since=5.0) == 3.5
