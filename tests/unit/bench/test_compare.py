"""The accounts that `python -m bench.compare` settles, and what it writes of them."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.compare import customers, report
from bench.compare.account import Arrivals, Change, settle
from bench.compare.customers import Answered, judge
from bench.compare.scenarios import Result
from bench.compare.topic import change_of
from tests.project import ROOT

PLACED = (ROOT / "contracts" / "examples" / "order.placed.json").read_bytes()


def arrived(*changes: Change) -> Arrivals:
    arrivals = Arrivals()
    for number, change in enumerate(changes):
        arrivals.take(change, float(number))
    return arrivals


A1, A2, B1, C1 = Change("a", 1), Change("a", 2), Change("b", 1), Change("c", 1)


def test_repeats_and_disorder_are_counted_once_each() -> None:
    arrivals = arrived(A2, A1, B1, B1, A1)
    assert (arrivals.repeats, arrivals.disorder) == (2, 1)


def test_acknowledged_change_that_is_not_in_the_topic_is_lost() -> None:
    outcome = settle({A1, A2, B1}, 3, 1, {}, {"a": 2, "b": 1, "c": 1}, arrived(A1))
    assert (outcome.acknowledged, outcome.refused, outcome.unknown) == (3, 3, 1)
    assert (outcome.lost, outcome.lost_unanswered, outcome.phantoms) == (2, 1, 0)


def test_acknowledged_change_that_is_not_even_stored_is_lost() -> None:
    assert settle({A1}, 0, 0, {}, {}, arrived()).lost == 1


def test_change_in_the_topic_that_was_never_stored_is_told() -> None:
    outcome = settle(set(), 0, 0, {}, {"a": 1}, arrived(A1, A2, C1))
    assert outcome.phantoms == 2


def test_late_event_of_an_earlier_load_is_left_out() -> None:
    arrivals = arrived(A1, C1)
    arrivals.forget({"c"})
    assert settle({A1}, 0, 0, {}, {"a": 1}, arrivals).phantoms == 0


def test_repeats_and_disorder_of_an_earlier_load_are_left_out_too() -> None:
    arrivals = arrived(A2, A1, A1, B1, B1)
    arrivals.forget({"a", "nobody's"})
    assert (arrivals.repeats, arrivals.disorder) == (1, 0)


def test_latency_is_from_the_commit_to_the_first_arrival() -> None:
    outcome = settle(set(), 0, 0, {A1: -0.5, B1: 0.75, C1: 9.0}, {}, arrived(A1, B1, B1))
    assert outcome.latencies_ms == [250, 500]
    assert (outcome.p50_ms, outcome.max_ms) == (500, 500)
    assert settle(set(), 0, 0, {}, {}, arrived()).max_ms == float("inf")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_burst_ends_at_a_server_that_never_answers(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "BURST_S", 0.5)
    monkeypatch.setattr(customers, "TIMEOUT_S", 2.0)
    ledger = customers.all_at_once(silent_port, 6, 2)
    assert ledger.counts[Answered.UNKNOWN] == 2  # which were sent


def test_request_without_an_answer_at_the_end_of_the_load_is_counted(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customers, "LAST_ANSWERS_S", 0.5)
    ledger = customers.at_rate(silent_port, 100, 0.03)
    assert ledger.counts[Answered.UNKNOWN] == 3


@pytest.mark.parametrize(
    ("status", "content", "answered"),
    [
        (201, b'{"id": "a"}', Answered.ACKNOWLEDGED),
        (200, b'{"id": "a"}', Answered.ACKNOWLEDGED),
        (201, b"<html>", Answered.UNKNOWN),
        (400, b"{}", Answered.REFUSED),
        (503, b'{"detail": "Nothing was stored."}', Answered.REFUSED),
        (503, b'{"detail": "It may have been stored."}', Answered.UNKNOWN),
        (500, b"", Answered.UNKNOWN),
    ],
)
def test_what_an_answer_says(status: int, content: bytes, answered: Answered) -> None:
    assert judge(status, content)[0] is answered


def test_both_kinds_of_messages_are_read() -> None:
    order_id = json.loads(PLACED)["data"]["order_id"]
    assert change_of(PLACED) == Change(order_id, 1)
    assert change_of(b'{"id": "a", "status": "confirmed"}') == Change("a", 2)
    for other in (b"", b"[]", b"{}", b'{"id": "a", "status": "eaten"}', b'{"data": 1}'):
        assert change_of(other) is None


def result(scenario: str, way: str, lost: int = 0) -> Result:
    outcome = settle({Change(str(n), 1) for n in range(lost)}, 0, 0, {A1: -0.5}, {"a": 1}, arrived(A1))
    return Result(scenario, way, outcome, dict.fromkeys(report.GROUPS, 1.5), {"app": 70.0})


def test_rounds_of_a_trial_are_one_line(tmp_path: Path) -> None:
    results = [result("quiet", "naive", 2), result("quiet", "direct"), result("quiet", "naive", 1)]
    text = report.tables(results)
    assert "| quiet | the demo's way | 3 | 0 | 0 | **3** |" in text
    assert "| quiet | the demo's way | 500 | 500 | 500 | 1.50 | 1.50 | 1.50 | 70 |" in text
    report.plot(results, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_tables_are_written_between_the_comments_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Before\n{report.BEGIN}\nold\n{report.END}\nAfter\n")
    report.write(page, "new")
    assert page.read_text() == f"Before\n{report.BEGIN}\n\nnew\n\n{report.END}\nAfter\n"
    page.write_text("no place")
    with pytest.raises(ValueError, match="no place for the tables"):
        report.write(page, "new")
    assert page.read_text() == "no place"
