from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.fanout.resume import resume
from consumer.fanout.viewer import Viewer
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event
from tests.unit.consumer.fanout.stream_text import Block, blocks, shown
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID

START = datetime(2026, 11, 22, tzinfo=UTC)


def at(*offsets: int, topic: str = TOPIC_ID) -> Position:
    return Position(topic, offsets)


def ring(max_events: int = 100) -> Ring:
    """a0, then b0 and a1 in one batch, then b1; a second apart."""
    made = Ring(max_events, 1 << 20)
    made.open(at(0, 0))
    made.append([event(0, 0, 0)], at(1, 0))
    made.append([event(1, 0, 1), event(0, 1, 2)], at(2, 1))
    made.append([event(1, 1, 3)], at(2, 2))
    return made


def event(partition: int, offset: int, second: int) -> Event:
    moment = (START + timedelta(seconds=second)).timestamp()
    return Event(partition, offset, int(moment * 1000), b"%c%d" % (b"ab"[partition], offset))


def everything(ring: Ring, viewer: Viewer, piece: int = 1 << 20) -> bytes:
    sent = b""
    while viewer.number != ring.head:
        sent += viewer.take(ring, piece)
    return sent


def gap_of(viewer: Viewer) -> Block | None:
    return next((block for block in blocks(viewer.greeting("live")) if block.event == "gap"), None)


def test_a_new_viewer_begins_live() -> None:
    r = ring()
    viewer = resume(r, None, None)
    assert everything(r, viewer) == b""
    assert blocks(viewer.greeting("live"))[0].last_id == str(at(2, 2))


@pytest.mark.parametrize(
    ("position", "missing"),
    [
        (at(0, 0), ["a0", "b0", "a1", "b1"]),
        (at(1, 0), ["b0", "a1", "b1"]),
        (at(2, 0), ["b0", "b1"]),
        (at(1, 1), ["a1", "b1"]),
        (at(2, 1), ["b1"]),
        (at(0, 2), ["a0", "a1"]),
        (at(2, 2), []),
        (at(1), ["b0", "a1", "b1"]),
    ],
)
def test_one_that_comes_back_gets_exactly_what_it_missed(position: Position, missing: list[str]) -> None:
    r = ring()
    for piece in (1, 1 << 20):
        viewer = resume(r, str(position), None)
        assert gap_of(viewer) is None
        assert shown(everything(r, viewer, piece)) == missing


def test_its_first_id_is_where_it_was_so_that_a_cut_before_the_rest_loses_nothing() -> None:
    viewer = resume(ring(), str(at(1, 0)), None)
    assert blocks(viewer.greeting("live"))[0].last_id == str(at(1, 0))


def test_after_what_it_missed_it_gets_all_that_follows() -> None:
    r = ring()
    viewer = resume(r, str(at(2, 1)), None)
    everything(r, viewer)
    r.append([event(0, 2, 4), event(1, 2, 5)], at(3, 3))
    text = viewer.take(r, 1 << 20)
    assert shown(text) == ["a2", "b2"]
    assert blocks(text)[-1].last_id == str(at(3, 3))


def test_the_header_wins_over_the_query() -> None:
    r = ring()
    assert shown(everything(r, resume(r, str(at(2, 1)), str(at(0, 0))))) == ["b1"]
    assert shown(everything(r, resume(r, None, str(at(0, 0))))) == ["a0", "b0", "a1", "b1"]
    assert shown(everything(r, resume(r, "", str(at(2, 1))))) == ["b1"]


def test_one_ahead_of_this_replica_is_live_without_a_gap() -> None:
    r = ring()
    viewer = resume(r, str(at(7, 2)), None)
    assert gap_of(viewer) is None
    r.append([event(0, 2, 4)], at(3, 2))
    assert shown(everything(r, viewer)) == ["a2"]


def test_one_that_was_away_too_long_is_told_what_it_lost() -> None:
    r = ring(max_events=3)
    viewer = resume(r, str(at(0, 0)), None)
    gap = gap_of(viewer)
    assert gap is not None
    assert gap.json == {
        "reason": "expired",
        "from": str(at(0, 0)),
        "to": str(at(1, 0)),
        "lost": {"0": [0, 1]},
    }
    assert shown(everything(r, viewer)) == ["b0", "a1", "b1"]


def test_one_that_is_cut_before_it_is_told_comes_back_to_be_told() -> None:
    r = ring(max_events=3)
    status, gap = blocks(resume(r, str(at(0, 0)), None).greeting("live"))
    assert (status.last_id, gap.last_id) == (str(at(0, 0)), str(at(1, 0)))


def test_a_position_of_another_topic_is_told_as_recreated() -> None:
    gap = gap_of(resume(ring(), str(at(1, 1, topic=OTHER_ID)), None))
    assert gap is not None
    assert (gap.json["reason"], gap.json["to"], gap.json["lost"]) == ("recreated", str(at(2, 2)), {})


@pytest.mark.parametrize(("header", "query"), [("nonsense", None), (None, "a;b"), (None, "yesterday")])
def test_what_cannot_be_read_is_told_and_then_live(header: str | None, query: str | None) -> None:
    r = ring()
    viewer = resume(r, header, query)
    gap = gap_of(viewer)
    assert gap is not None
    assert (gap.json["reason"], gap.json["from"], gap.last_id) == ("unreadable", None, str(at(2, 2)))
    assert everything(r, viewer) == b""


@given(st.text(), st.text())
def test_whatever_a_browser_says_there_is_an_answer(header: str, query: str) -> None:
    r = ring()
    for text in (query, query + "2026-11-22", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        viewer = resume(r, header, text)
        blocks(viewer.greeting("live"))
        everything(r, viewer)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T00:00:02Z",
        "2026-11-22T00:00:02",
        "2026-11-22T00:00:02+00:00",
        "2026-11-22T00:00:02 00:00",
        (START + timedelta(seconds=1.5)).astimezone(timezone(timedelta(hours=5))).isoformat(),
    ],
)
def test_a_time_brings_what_is_not_older(text: str) -> None:
    r = ring()
    viewer = resume(r, None, text)
    assert gap_of(viewer) is None
    assert shown(everything(r, viewer)) == ["a1", "b1"]


def test_a_time_before_what_is_held_is_told_as_a_gap() -> None:
    r = ring(max_events=3)
    viewer = resume(r, None, "2026-11-21T00:00:00Z")
    gap = gap_of(viewer)
    assert gap is not None
    assert (gap.json["reason"], gap.json["from"]) == ("expired", None)
    assert shown(everything(r, viewer)) == ["b0", "a1", "b1"]


def test_a_time_before_the_topic_began_brings_all_of_it_without_a_gap() -> None:
    r = ring()
    viewer = resume(r, None, "2020-01-01T00:00:00Z")
    assert gap_of(viewer) is None
    assert shown(everything(r, viewer)) == ["a0", "b0", "a1", "b1"]


def test_one_that_the_ring_overtakes_is_told_of_the_overflow() -> None:
    r = ring(max_events=4)
    viewer = resume(r, None, None)
    for offset in range(2, 12):
        r.append([event(0, offset, offset)], at(offset + 1, 2))
    first, *rest = blocks(everything(r, viewer))
    assert first.json == {
        "reason": "overflow",
        "from": str(at(2, 2)),
        "to": str(at(8, 2)),
        "lost": {"0": [2, 8]},
    }
    assert [block.data for block in rest] == ["a8", "a9", "a10", "a11"]


def test_the_events_before_a_jump_come_with_a_position_before_it() -> None:
    r = ring()
    viewer = resume(r, None, None)
    r.append([event(0, 2, 4)], at(3, 2))
    r.jump(at(9, 2))
    r.append([event(0, 9, 9)], at(10, 2))
    read = blocks(everything(r, viewer))
    assert [block.event for block in read] == ["message", "gap", "message"]
    assert [block.last_id for block in read] == [str(at(3, 2)), str(at(9, 2)), str(at(10, 2))]


def test_the_bookmark_moves_past_what_is_not_shown() -> None:
    r = ring()
    viewer = resume(r, None, None)
    r.append([], at(5, 5))
    assert viewer.refreshed(r).position == at(5, 5)
