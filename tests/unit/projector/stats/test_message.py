import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from projector.readmodel.events import MAX_ITEM
from projector.stats.message import ITEMS, MINUTES, OTHERS, STATUSES, encode
from projector.store.queries import Item, Minute, Stats
from tests.unit.projector.stats.figures import FIGURES, PRESENT, STATS

BOUND = 128 << 10  # the consumer reads no larger one (MAX_BYTES in consumer/topic/stats.py)
HUGE = Decimal("9" * 21 + ".99")
MOST = (1 << 63) - 1


def test_revenue_of_a_minute_is_what_was_placed_less_what_was_cancelled() -> None:
    minutes = json.loads(encode(FIGURES))["minutes"]
    assert [minute["revenue"] for minute in minutes] == ["12345678901242.50", "0.00", "-8.00"]
    assert [minute["events"] for minute in minutes] == [4, 0, 2]


def test_rare_statuses_are_added_up_and_none_is_lost() -> None:
    by_status = {f"status_{number:02}": 100 - number for number in range(50)}
    minutes = [Minute(PRESENT, {"status_49": 4}, {})]
    body = json.loads(encode(replace(FIGURES, stats=replace(STATS, by_status=by_status), minutes=minutes)))
    assert len(body["by_status"]) == STATUSES + 1
    assert body["by_status"]["status_00"] == 100
    assert sum(body["by_status"].values()) == body["orders"] == sum(by_status.values())
    assert body["minutes"][0]["by_status"] == {OTHERS: 4}


def test_minute_keeps_what_happened_though_no_order_is_there_now() -> None:
    stats = replace(STATS, by_status={"cancelled": 4})
    minutes = json.loads(encode(replace(FIGURES, stats=stats)))["minutes"]
    assert [minute["by_status"] for minute in minutes] == [
        {"confirmed": 1, "placed": 3},
        {},
        {"cancelled": 1, "placed": 1},
    ]


def test_invented_statuses_crowd_out_none_of_an_order() -> None:
    invented = {f"status_{chr(97 + number)}": MOST for number in range(STATUSES)}
    minute = Minute(PRESENT, {"placed": 3, "shipped": 1, **invented}, {})
    body = json.loads(encode(replace(FIGURES, stats=replace(STATS, by_status=invented), minutes=[minute])))
    found = body["minutes"][0]["by_status"]
    assert (found["placed"], found["shipped"], len(found)) == (3, 1, STATUSES + 1)
    assert sum(found.values()) == body["minutes"][0]["events"]


def test_message_is_bounded_whatever_is_on_the_topic() -> None:
    statuses = {f"{number:040}": MOST for number in range(500)}
    amounts = dict.fromkeys(statuses, HUGE)
    figures = replace(
        FIGURES,
        stats=Stats(statuses, HUGE, MOST, dict.fromkeys(range(1000), MOST)),
        minutes=[Minute(PRESENT + timedelta(minutes=n), statuses, amounts) for n in range(MINUTES)],
        items=[Item("\x01" * MAX_ITEM, MOST, MOST, HUGE)] * ITEMS,
    )
    assert len(encode(figures)) <= BOUND
