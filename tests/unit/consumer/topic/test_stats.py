import json
from typing import Any

import pytest

from consumer.topic.stats import MAX_BYTES, UnreadableStats, read_figures, read_stats
from tests.unit.consumer.topic.order_stats import NOON, figures


def test_figures_are_read_and_their_bytes_kept() -> None:
    payload = figures(news={"unknown": True})
    assert read_stats(payload) == (NOON, payload)
    read = read_figures(payload)
    assert (read.orders, read.minutes[0].orders, read.items[0].item) == (2, 2, "Basic Tee")


def test_minute_in_which_no_order_was_placed_has_none() -> None:
    minute = {"minute": "2026-11-22T12:00:00Z", "events": 1, "by_status": {"shipped": 1}, "revenue": "-8.00"}
    assert read_figures(figures(minutes=[minute])).minutes[0].orders == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"time": None},
        {"time": 5},
        {"time": "yesterday"},
        {"time": "2026-11-22T12:00:00"},
        {"time": "2026-11-22T12:00:00+05:00"},
        {"time": "2026-02-30T12:00:00Z"},
        {"time": "1700000000"},
        {"orders": "2"},
        {"orders": 2.5},
        {"orders": 1 << 63},
        {"events": True},
        {"by_status": {"placed": None}},
        {"by_status": {f"s{number}": 1 for number in range(21)}},
        {"by_status": {"s" * 41: 1}},
        {"revenue": 96},
        {"revenue": "1e3"},
        {"revenue": "NaN"},
        {"minutes": None},
        {"minutes": [{}]},
        {"minutes": [json.loads(figures())["minutes"][0] | {"minute": "9999-12-31T23:59:00-01:00"}]},
        {"minutes": [json.loads(figures())["minutes"][0] | {"minute": "0001-01-01T00:00:00+01:00"}]},
        {"news": float("nan")},
        {"as_of": {"0": float("inf")}},
        {"minutes": [json.loads(figures())["minutes"][0]] * 61},
        {"items": [json.loads(figures())["items"][0]] * 11},
        {"items": [{"item": "x" * 201, "orders": 1, "quantity": 1, "revenue": "1.00"}]},
    ],
)
def test_what_the_page_could_not_show_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableStats):
        read_stats(figures(**changes))


@pytest.mark.parametrize(
    "payload",
    [
        None,
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        figures() + b"\r",
        figures(padding="x" * MAX_BYTES),
        b"[" * 100_000,
        figures().replace(b"Basic Tee", b"\\ud800"),
    ],
)
def test_garbage_is_unreadable(payload: bytes | None) -> None:
    with pytest.raises(UnreadableStats):
        read_stats(payload)


def test_reason_does_not_repeat_what_somebody_wrote() -> None:
    with pytest.raises(UnreadableStats, match="revenue: ") as caught:
        read_stats(figures(revenue="secret"))
    assert "secret" not in str(caught.value)
