"""What viewers with a filter are sent, and what a thousand filters cost."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from consumer.fanout.filter import EVERYTHING, MAX_LENGTH, MAX_TYPES, Filter, UnreadableFilter
from consumer.ring.position import Position
from consumer.ring.types import Event
from tests.unit.consumer.fanout.stream_text import blocks, shown
from tests.unit.consumer.fanout.test_sockets import HEARTBEAT_S, FanoutHarness, receive
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID

PLACED = Filter.parse(["order.placed"], "")
ORDER_1 = Filter.parse([], "o1")


@pytest.fixture
def harness() -> Iterator[FanoutHarness]:
    with closing(FanoutHarness()) as harness:
        yield harness


def put(harness: FanoutHarness, *events: tuple[str, str]) -> None:
    """Append events of these types and orders; each one's payload names both."""
    start = harness.ring.position.offsets[0]
    harness.ring.append(
        [
            Event(0, start + n, 0, f"{kind} {order}".encode(), kind, order)
            for n, (kind, order) in enumerate(events)
        ],
        Position(TOPIC_ID, (start + len(events),)),
    )


def ids(data: bytes) -> list[str]:
    return [block.last_id for block in blocks(data) if block.event == "message"]


def test_filter_without_parameters_passes_everything() -> None:
    assert Filter.parse([], "") == Filter.parse([""], "") == EVERYTHING


@pytest.mark.parametrize(
    ("wanted", "passed"),
    [
        (Filter.parse(["order.placed"], ""), ["placed o1", "placed o2"]),
        (Filter.parse(["order.placed", "order.shipped"], ""), ["placed o1", "shipped o1", "placed o2"]),
        (Filter.parse([], "o1"), ["placed o1", "shipped o1"]),
        (Filter.parse(["order.placed"], "o1"), ["placed o1"]),
        (Filter.parse(["order.placed"], "o3"), []),
    ],
)
def test_live_viewer_is_sent_what_passes_its_filter(
    harness: FanoutHarness, wanted: Filter, passed: list[str]
) -> None:
    viewer, other = harness.join(wanted=wanted), harness.join()
    put(harness, ("order.placed", "o1"), ("order.shipped", "o1"), ("order.placed", "o2"))
    harness.step()
    assert shown(receive(viewer)) == [f"order.{text}" for text in passed]
    assert len(shown(receive(other))) == 3


@pytest.mark.parametrize(
    "types", [["order.placed"] * 3 + ["placed"], [f"order.{n}" for n in range(MAX_TYPES + 1)]]
)
def test_filter_that_no_event_could_pass_is_refused(types: list[str]) -> None:
    with pytest.raises(UnreadableFilter):
        Filter.parse(types, "")


def test_filter_is_bounded() -> None:
    with pytest.raises(UnreadableFilter):
        Filter.parse([], "x" * (MAX_LENGTH + 1))


def test_id_is_past_what_was_filtered_out(harness: FanoutHarness) -> None:
    viewer = harness.join(wanted=PLACED)
    put(harness, ("order.placed", "o1"), ("order.shipped", "o1"))
    harness.step()
    assert ids(receive(viewer)) == [f"{TOPIC_ID};0:2"]


def test_heartbeat_moves_the_position_of_who_is_sent_nothing(harness: FanoutHarness) -> None:
    viewer = harness.join(wanted=ORDER_1)
    put(harness, *[("order.placed", "o2")] * 5)
    harness.step()
    harness.clock.now += HEARTBEAT_S
    harness.step()
    (*_, status) = blocks(receive(viewer))
    assert (status.event, status.last_id) == ("status", f"{TOPIC_ID};0:5")


def test_returning_viewer_is_sent_the_missed_events_that_pass(harness: FanoutHarness) -> None:
    put(harness, ("order.placed", "o1"), ("order.placed", "o2"), ("order.shipped", "o1"))
    viewer = harness.join(last_event_id=f"{TOPIC_ID};0:1", wanted=ORDER_1)
    assert shown(receive(viewer)) == ["order.shipped o1"]
    put(harness, ("order.delivered", "o1"), ("order.placed", "o3"))
    harness.step()
    assert shown(receive(viewer)) == ["order.delivered o1"]


def test_gap_is_told_whatever_the_filter(harness: FanoutHarness) -> None:
    viewers = [harness.join(wanted=wanted) for wanted in (ORDER_1, PLACED, EVERYTHING)]
    harness.ring.open(Position(OTHER_ID, (0,)))
    harness.ring.append([Event(0, 0, 0, b"shipped o1", "order.shipped", "o1")], Position(OTHER_ID, (1,)))
    harness.step()
    read = [blocks(receive(viewer)) for viewer in viewers]
    assert [[b.json["reason"] for b in found if b.event == "gap"] for found in read] == [["recreated"]] * 3
    assert [[b.data for b in found if b.event == "message"] for found in read] == [
        ["shipped o1"],
        [],
        ["shipped o1"],
    ]


def test_jump_over_what_retention_has_deleted_is_told_whatever_the_filter(harness: FanoutHarness) -> None:
    viewer = harness.join(wanted=ORDER_1)
    harness.ring.jump(Position(TOPIC_ID, (7,)))
    harness.step()
    (gap,) = (block for block in blocks(receive(viewer)) if block.event == "gap")
    assert (gap.json["reason"], gap.last_id) == ("expired", f"{TOPIC_ID};0:7")


def test_slow_viewer_with_a_filter_catches_up_with_what_passes() -> None:
    with closing(FanoutHarness()) as harness:
        viewer = harness.join(wanted=ORDER_1)
        many = 400
        start = harness.ring.position.offsets[0]
        for n in range(many):
            event = Event(0, start + n, 0, b"%d %s" % (n, b"x" * 5000), "order.placed", f"o{n % 2}")
            harness.ring.append([event], Position(TOPIC_ID, (start + n + 1,)))
            harness.step(1)
        received = b""
        for _ in range(300):
            received += receive(viewer)
            harness.step(1)
        assert [int(data.split()[0]) for data in shown(received)] == list(range(1, many, 2))


def test_a_thousand_filters_are_not_asked_one_by_one(
    harness: FanoutHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each follows an order of its own: an event costs as much with a thousand of them as with one."""
    from_server: list[socket.socket] = [
        harness.join(wanted=Filter.parse([], f"o{n}"), steps=0) for n in range(300)
    ]
    asked = 0
    passes = Filter.passes

    def count(self: Filter, event: Event) -> bool:
        nonlocal asked
        asked += 1
        return passes(self, event)

    monkeypatch.setattr(Filter, "passes", count)
    put(harness, *[("order.placed", f"o{n}") for n in range(7)], ("order.placed", "another"))
    harness.step()
    assert asked == 7
    assert shown(receive(from_server[6])) == ["order.placed o6"]


def test_filter_is_forgotten_with_its_last_viewer(harness: FanoutHarness) -> None:
    one, other = harness.join(wanted=ORDER_1), harness.join(wanted=ORDER_1)
    one.close()
    harness.step()
    put(harness, ("order.placed", "o1"))
    harness.step()
    assert shown(receive(other)) == ["order.placed o1"]
    other.close()
    harness.step()
    live = harness.fanout._live
    assert (len(live), live._by_filter, dict(live._by_order), dict(live._by_type)) == (0, {}, {}, {})
    assert harness.fanout.count == 0
