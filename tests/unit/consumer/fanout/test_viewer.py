from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.fanout.resume import resume
from consumer.fanout.viewer import Viewer, live
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event
from tests.unit.consumer.fanout.stream_text import Block, blocks, shown
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID

START = datetime(2026, 11, 22, tzinfo=UTC)


def at(*offsets: int, topic: str = TOPIC_ID) -> Position:
    return Position(topic, offsets)


def filled_ring(max_events: int = 100) -> Ring:
    """Return a ring with a0, then b0 and a1 in one batch, then b1; a second apart."""
    ring = Ring(max_events, 1 << 20)
    ring.open(at(0, 0))
    ring.append([event(0, 0, 0)], at(1, 0))
    ring.append([event(1, 0, 1), event(0, 1, 2)], at(2, 1))
    ring.append([event(1, 1, 3)], at(2, 2))
    return ring


def event(partition: int, offset: int, second: int) -> Event:
    """Return event a<offset> or b<offset>, `second` seconds after START."""
    moment = (START + timedelta(seconds=second)).timestamp()
    return Event(partition, offset, int(moment * 1000), b"%c%d" % (b"ab"[partition], offset))


def take_all(ring: Ring, viewer: Viewer, max_bytes: int = 1 << 20) -> bytes:
    """Return every block that the viewer is sent until it has everything."""
    sent = b""
    while viewer.number != ring.head:
        sent += viewer.take(ring, max_bytes)
    return sent


def gap_of(viewer: Viewer) -> Block | None:
    """Return the gap in the viewer's greeting, if there is one."""
    return next((block for block in blocks(viewer.greeting("live")) if block.event == "gap"), None)


def test_new_viewer_begins_live() -> None:
    ring = filled_ring()
    viewer = resume(ring, None, None)
    assert take_all(ring, viewer) == b""
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
def test_returning_viewer_gets_exactly_the_missed_events(position: Position, missing: list[str]) -> None:
    ring = filled_ring()
    for max_bytes in (1, 1 << 20):
        viewer = resume(ring, str(position), None)
        assert gap_of(viewer) is None
        assert shown(take_all(ring, viewer, max_bytes)) == missing


def test_greeting_of_a_returning_viewer_has_its_old_position_as_id() -> None:
    """A connection that is cut before the missed events then loses none of them."""
    viewer = resume(filled_ring(), str(at(1, 0)), None)
    assert blocks(viewer.greeting("live"))[0].last_id == str(at(1, 0))


def test_returning_viewer_gets_all_new_events_after_the_missed_ones() -> None:
    ring = filled_ring()
    viewer = resume(ring, str(at(2, 1)), None)
    take_all(ring, viewer)
    ring.append([event(0, 2, 4), event(1, 2, 5)], at(3, 3))
    text = viewer.take(ring, 1 << 20)
    assert shown(text) == ["a2", "b2"]
    assert blocks(text)[-1].last_id == str(at(3, 3))


def test_last_event_id_wins_over_the_query() -> None:
    ring = filled_ring()
    assert shown(take_all(ring, resume(ring, str(at(2, 1)), str(at(0, 0))))) == ["b1"]
    assert shown(take_all(ring, resume(ring, None, str(at(0, 0))))) == ["a0", "b0", "a1", "b1"]
    assert shown(take_all(ring, resume(ring, "", str(at(2, 1))))) == ["b1"]


def test_viewer_ahead_of_this_replica_gets_what_it_lacks_and_no_earlier_id() -> None:
    ring = filled_ring()
    viewer = resume(ring, str(at(4, 2)), None)
    assert gap_of(viewer) is None
    ring.append([event(0, 2, 4), event(1, 2, 4)], at(3, 3))
    ring.append([event(0, 3, 5)], at(4, 3))
    ring.append([event(0, 4, 6)], at(5, 3))
    text = take_all(ring, viewer, 1)
    assert shown(text) == ["b2", "a4"]
    assert [block.last_id for block in blocks(text)] == [str(at(4, 3)), str(at(5, 3))]


def test_viewer_whose_position_kafka_does_not_have_is_told_a_gap() -> None:
    """Only once Kafka was certainly asked after the viewer came: another replica may just have been faster."""
    ring = filled_ring()
    ring.note_log_end(at(2, 2))
    viewer = resume(ring, str(at(4, 2)), None)
    ring.note_log_end(at(2, 2))
    assert viewer.check_position(ring) == b""
    ring.note_log_end(at(3, 2))
    (gap,) = blocks(viewer.check_position(ring))
    assert (gap.json["reason"], gap.json["from"], gap.last_id) == ("recreated", str(at(4, 2)), str(at(2, 2)))
    ring.append([event(0, 2, 4)], at(3, 2))
    assert shown(take_all(ring, viewer)) == ["a2"]


def test_viewer_whose_position_kafka_has_waits_without_a_gap() -> None:
    ring = filled_ring()
    viewer = resume(ring, str(at(4, 2)), None)
    for _ in range(3):
        ring.note_log_end(at(4, 2))
    assert viewer.check_position(ring) == b""


def test_recreated_topic_is_shown_from_its_first_event_to_a_viewer_that_had_come_back() -> None:
    """The offsets that a viewer had of the old topic say nothing about the new one."""
    ring = filled_ring()
    viewer = resume(ring, str(at(2, 1)), None)
    ring.open(at(0, 0, topic=OTHER_ID))
    ring.append([event(0, 0, 9)], at(1, 0, topic=OTHER_ID))
    read = blocks(take_all(ring, viewer))
    assert {block.event for block in read[:-1]} == {"gap"}
    assert (read[-1].event, read[-1].data) == ("message", "a0")


def test_rewound_ring_shows_the_new_log_to_a_viewer_with_a_position_of_the_lost_one() -> None:
    """Kafka lost a2..a8; they are written again, differently, before the viewer comes back."""
    ring = filled_ring()
    ring.append([], at(9, 2))
    ring.rewind(at(2, 2))
    ring.append([event(0, offset, offset) for offset in range(2, 20)], at(20, 2))
    viewer = resume(ring, str(at(9, 2)), None)
    assert shown(take_all(ring, viewer)) == [f"a{offset}" for offset in range(2, 20)]


@pytest.mark.parametrize("evictions", [0, 2])
def test_time_that_one_partition_reaches_back_to_and_another_does_not_is_read_from_kafka(
    evictions: int,
) -> None:
    """A ring that began in the middle of the topic: partition 0 has its events of an hour, 1 of a second."""
    ring = Ring(12 - evictions, 1 << 20)
    ring.open(at(50, 50))
    ring.append([event(0, 50 + n, n * 360) for n in range(10)], at(60, 50))
    ring.append([event(1, 50, 3600), event(1, 51, 3601)], at(60, 52))
    viewer = resume(ring, None, (START + timedelta(seconds=1800)).isoformat())
    assert viewer.is_behind
    complete = resume(ring, None, (START + timedelta(seconds=3601)).isoformat())
    assert gap_of(complete) is None
    assert shown(take_all(ring, complete)) == ["b51"]


@pytest.mark.parametrize("text", ["2026-11-22t00:00:02z", "2026-11-22T00:00:02.000Z", "20261122T000002+0000"])
def test_time_may_be_written_in_all_the_ways_of_iso(text: str) -> None:
    assert (
        resume(filled_ring(), None, text).position
        == resume(filled_ring(), None, "2026-11-22T00:00:02Z").position
    )


@pytest.mark.parametrize(
    "text", ["2026-11-22T00:00:02Z\0", "2026-11-22T00:00:02Zx", "2026-11-22\n", "NaN", "-1"]
)
def test_time_with_anything_else_in_it_is_unreadable(text: str) -> None:
    gap = gap_of(resume(filled_ring(), None, text))
    assert gap is not None
    assert gap.json["reason"] == "unreadable"


def test_position_with_far_more_partitions_than_the_topic_has_is_unreadable() -> None:
    """It would be kept, copied and sent again and again."""
    gap = gap_of(resume(filled_ring(), str(at(*[0] * 500)), None))
    assert gap is not None
    assert gap.json["reason"] == "unreadable"
    assert gap_of(resume(filled_ring(), str(at(2, 2, 0)), None)) is None


def test_viewer_from_a_time_is_told_that_more_comes_until_it_is_live() -> None:
    ring = filled_ring()
    behind = resume(ring, None, START.isoformat())
    assert blocks(behind.greeting("live"))[0].json["replay"] == "reading"
    at_the_end = resume(ring, None, (START + timedelta(hours=1)).isoformat())
    assert "replay" not in blocks(at_the_end.greeting("live"))[0].json


def test_greeting_says_whether_a_gap_follows() -> None:
    """A page that has other means to go on from its position must know that it means nothing."""
    ring = filled_ring(max_events=3)
    foreign, _ = blocks(resume(ring, str(at(0, 0, topic=OTHER_ID)), None).greeting("live"))
    (in_time,) = blocks(resume(ring, str(at(2, 2)), None).greeting("live"))
    assert foreign.json["gap"] is True
    assert "gap" not in in_time.json


def test_gap_reason_is_recreated_for_a_position_of_another_topic() -> None:
    gap = gap_of(resume(filled_ring(), str(at(1, 1, topic=OTHER_ID)), None))
    assert gap is not None
    assert (gap.json["reason"], gap.json["to"], gap.json["lost"]) == ("recreated", str(at(2, 2)), {})


@pytest.mark.parametrize(("header", "query"), [("nonsense", None), (None, "a;b"), (None, "yesterday")])
def test_gap_reason_is_unreadable_for_a_malformed_position_or_time(
    header: str | None, query: str | None
) -> None:
    ring = filled_ring()
    viewer = resume(ring, header, query)
    gap = gap_of(viewer)
    assert gap is not None
    assert (gap.json["reason"], gap.json["from"], gap.last_id) == ("unreadable", None, str(at(2, 2)))
    assert take_all(ring, viewer) == b""


@given(st.text(), st.text())
def test_resume_accepts_any_header_and_query(header: str, query: str) -> None:
    ring = filled_ring()
    for text in (query, query + "2026-11-22", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        viewer = resume(ring, header, text)
        blocks(viewer.greeting("live"))
        take_all(ring, viewer)


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
def test_viewer_from_a_time_gets_the_events_that_are_not_older(text: str) -> None:
    ring = filled_ring()
    viewer = resume(ring, None, text)
    assert gap_of(viewer) is None
    assert shown(take_all(ring, viewer)) == ["a1", "b1"]


def test_viewer_from_a_time_before_the_topic_gets_everything_without_a_gap() -> None:
    ring = filled_ring()
    viewer = resume(ring, None, "2020-01-01T00:00:00Z")
    assert gap_of(viewer) is None
    assert shown(take_all(ring, viewer)) == ["a0", "b0", "a1", "b1"]


def test_gap_is_sent_when_the_ring_overtakes_a_viewer() -> None:
    ring = filled_ring(max_events=4)
    viewer = resume(ring, None, None)
    for offset in range(2, 12):
        ring.append([event(0, offset, offset)], at(offset + 1, 2))
    first, *rest = blocks(take_all(ring, viewer))
    assert first.json == {
        "reason": "overflow",
        "from": str(at(2, 2)),
        "to": str(at(8, 2)),
        "lost": {"0": [2, 8]},
    }
    assert [block.data for block in rest] == ["a8", "a9", "a10", "a11"]


def test_events_before_a_gap_have_an_id_before_it() -> None:
    ring = filled_ring()
    viewer = resume(ring, None, None)
    ring.append([event(0, 2, 4)], at(3, 2))
    ring.jump(at(9, 2))
    ring.append([event(0, 9, 9)], at(10, 2))
    read = blocks(take_all(ring, viewer))
    assert [block.event for block in read] == ["message", "gap", "message"]
    assert [block.last_id for block in read] == [str(at(3, 2)), str(at(9, 2)), str(at(10, 2))]


def test_refreshed_position_is_past_skipped_messages() -> None:
    ring = filled_ring()
    viewer = resume(ring, None, None)
    ring.append([], at(5, 5))
    assert viewer.refreshed(ring).position == at(5, 5)


@pytest.mark.parametrize("begin", [Ring.open, Ring.rewind])
def test_position_stays_in_the_old_log_until_the_gap_is_sent(begin: Callable[[Ring, Position], None]) -> None:
    """A heartbeat may come first. Resuming in the new log, the viewer would never be told."""
    ring = filled_ring()
    viewer = live(ring)
    begin(ring, at(1, 2, topic=OTHER_ID if begin is Ring.open else TOPIC_ID))
    assert viewer.refreshed(ring).position == at(2, 2)
    assert [block.json["reason"] for block in blocks(viewer.take(ring, 1 << 20))] == ["recreated"]


def test_ids_do_not_go_back_before_the_gap_of_a_rewind() -> None:
    ring = filled_ring()
    viewer = resume(ring, str(at(2, 1)), None)
    ring.rewind(at(1, 2))
    told = [(block.json["reason"], block.last_id) for block in blocks(take_all(ring, viewer))]
    assert told == [("recreated", str(at(1, 2)))]


def test_gap_is_recreated_when_the_gap_of_a_rewind_was_evicted_too() -> None:
    """What the viewer had of the lost log must not be taken for events of the new one."""
    ring = filled_ring(max_events=2)
    viewer = resume(ring, str(at(9, 2)), None)
    ring.rewind(at(1, 2))
    for offset in (1, 2, 3):
        ring.append([event(0, offset, 9)], at(offset + 1, 2))
    text = take_all(ring, viewer)
    assert [block.json["reason"] for block in blocks(text) if block.event == "gap"] == ["recreated"]
    assert shown(text) == ["a2", "a3"]
