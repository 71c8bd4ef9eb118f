"""The way of a viewer from a place that is older than the ring to the live ones."""

from datetime import timedelta
from unittest.mock import ANY

import pytest

from consumer.fanout.filter import Filter
from consumer.fanout.replaying import next_blocks
from consumer.fanout.resume import resume
from consumer.fanout.viewer import Viewer
from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Batch, Event, FoundTime, Gap, Slice
from tests.unit.consumer.fanout.fake_replay import FakeReplay
from tests.unit.consumer.fanout.stream_text import blocks, shown
from tests.unit.consumer.fanout.test_viewer import START, at, event, filled_ring, take_all
from tests.unit.consumer.topic.fake_kafka import OTHER_ID


def part(before: Position, after: Position, *events: Event, gap: Gap | None = None) -> Slice:
    told = [Batch(gap.start, (), gap)] if gap and gap.start else []
    return Slice([*told, Batch(before, events)], 1, after)


@pytest.fixture
def replay() -> FakeReplay:
    return FakeReplay()


@pytest.fixture
def ring() -> Ring:
    """A ring that begins after a0."""
    return filled_ring(max_events=3)


def advance(viewer: Viewer, ring: Ring, replay: FakeReplay) -> bytes | None:
    return next_blocks(viewer, ring.view(), replay, "live", 1 << 20)


def test_viewer_from_before_the_ring_is_greeted_at_once_and_waits(ring: Ring, replay: FakeReplay) -> None:
    viewer = resume(ring, str(at(0, 0)), None)
    (status,) = blocks(viewer.greeting("live"))
    assert status.json == {"state": "live", "position": str(at(0, 0)), "replay": "waiting", "time": ANY}
    assert status.last_id == str(at(0, 0))
    assert advance(viewer, ring, replay) is None
    assert replay.asked == [at(0, 0)]


def test_status_says_whether_a_reader_is_at_it(ring: Ring, replay: FakeReplay) -> None:
    viewer = resume(ring, str(at(0, 0)), None)
    replay.reading.add(at(0, 0))
    advance(viewer, ring, replay)
    assert blocks(viewer.status("live"))[0].json["replay"] == "reading"
    replay.reading.clear()
    advance(viewer, ring, replay)
    assert blocks(viewer.status("live"))[0].json["replay"] == "waiting"


def test_viewer_gets_what_the_ring_no_longer_has_and_then_the_ring(ring: Ring, replay: FakeReplay) -> None:
    viewer = resume(ring, str(at(0, 0)), None)
    replay.keep(at(0, 0), part(at(0, 0), at(1, 0), event(0, 0, 0)))
    read = advance(viewer, ring, replay)
    assert read is not None
    assert [(block.data, block.last_id) for block in blocks(read)] == [("a0", str(at(1, 0)))]
    assert viewer.is_behind
    assert advance(viewer, ring, replay) == b""
    assert not viewer.is_behind
    assert shown(take_all(ring, viewer)) == ["b0", "a1", "b1"]


def test_what_was_read_beyond_a_batch_of_the_ring_is_not_sent_again(ring: Ring, replay: FakeReplay) -> None:
    viewer = resume(ring, str(at(0, 0)), None)
    replay.keep(at(0, 0), part(at(0, 0), at(2, 0), event(0, 0, 0), event(0, 1, 2)))
    advance(viewer, ring, replay)
    advance(viewer, ring, replay)
    text = take_all(ring, viewer)
    assert shown(text) == ["b0", "b1"]
    assert blocks(text)[-1].last_id == str(at(2, 2))


def test_expired_gap_comes_with_what_follows_it(ring: Ring, replay: FakeReplay) -> None:
    ring.append([event(0, n, 10 + n) for n in range(2, 9)], at(9, 2))
    viewer = resume(ring, str(at(0, 0)), None)
    gap = Gap("expired", at(0, 0), at(1, 1))
    replay.keep(at(0, 0), part(at(1, 1), at(2, 1), event(0, 1, 2), gap=gap))
    read = advance(viewer, ring, replay)
    assert read is not None
    told, message = blocks(read)
    assert (told.event, told.json["lost"], told.last_id) == ("gap", {"0": [0, 1], "1": [0, 1]}, str(at(1, 1)))
    assert (message.data, message.last_id) == ("a1", str(at(2, 1)))


def test_what_is_filtered_out_moves_the_position(ring: Ring, replay: FakeReplay) -> None:
    viewer = resume(ring, str(at(0, 0)), None, Filter(order="another"))
    replay.keep(at(0, 0), part(at(0, 0), at(1, 0), event(0, 0, 0)))
    assert advance(viewer, ring, replay) == b""
    assert viewer.position == at(1, 0)
    assert viewer.is_behind


def test_viewer_that_begins_at_a_time_is_greeted_when_its_position_is_known(
    ring: Ring, replay: FakeReplay
) -> None:
    viewer = resume(ring, None, (START - timedelta(hours=1)).isoformat())
    since_ms = int((START - timedelta(hours=1)).timestamp() * 1000)
    assert advance(viewer, ring, replay) is None
    (status,) = blocks(viewer.status("live"))
    assert (status.json["position"], status.last_id) == (None, "")
    replay.times[since_ms] = FoundTime(at(0, 0), is_complete=True)
    greeting = advance(viewer, ring, replay)
    assert greeting is not None
    (status,) = blocks(greeting)
    assert (status.event, status.json["position"], status.last_id) == ("status", str(at(0, 0)), str(at(0, 0)))


def test_gap_is_told_for_a_time_that_retention_may_have_passed(ring: Ring, replay: FakeReplay) -> None:
    viewer = resume(ring, None, "1970-01-01T00:00:01Z")
    replay.times[1000] = FoundTime(at(0, 0), is_complete=False)
    greeting = advance(viewer, ring, replay)
    assert greeting is not None
    _, gap = blocks(greeting)
    assert (gap.event, gap.json["reason"], gap.json["from"], gap.last_id) == (
        "gap",
        "expired",
        None,
        str(at(0, 0)),
    )


def test_viewer_that_is_cut_off_before_the_gap_of_a_time_is_told_of_it_when_it_comes_back(
    ring: Ring, replay: FakeReplay
) -> None:
    """The position of the status is past what the gap tells: a browser must not resume from there."""
    viewer = resume(ring, None, "1970-01-01T00:00:01Z")
    replay.times[1000] = FoundTime(at(0, 0), is_complete=False)
    status, gap = blocks(advance(viewer, ring, replay) or b"")
    assert (status.last_id, status.json["position"], gap.last_id) == ("", str(at(0, 0)), str(at(0, 0)))


def test_ring_that_moves_on_before_the_viewer_is_live_sends_it_back_to_kafka(
    ring: Ring, replay: FakeReplay
) -> None:
    viewer = resume(ring, str(at(0, 0)), None)
    replay.keep(at(0, 0), part(at(0, 0), at(1, 0), event(0, 0, 0)))
    advance(viewer, ring, replay)
    advance(viewer, ring, replay)
    assert not viewer.is_behind
    ring.append([event(0, n, 10 + n) for n in range(2, 9)], at(9, 2))
    assert viewer.take(ring, 1 << 20) == b""
    assert viewer.is_behind
    assert advance(viewer, ring, replay) is None
    assert replay.asked[-1] == at(1, 0)


def test_viewer_on_its_way_is_told_that_the_topic_was_created_again(ring: Ring, replay: FakeReplay) -> None:
    viewer = resume(ring, str(at(0, 0)), None)
    ring.open(at(0, 0, topic=OTHER_ID))
    ring.append([event(0, 0, 9)], at(1, 0, topic=OTHER_ID))
    told = advance(viewer, ring, replay)
    assert told is not None
    (gap,) = blocks(told)
    assert (gap.json["reason"], gap.last_id) == ("recreated", str(at(0, 0, topic=OTHER_ID)))
    assert shown(take_all(ring, viewer)) == ["a0"]
    assert replay.asked == []


def test_viewer_on_its_way_goes_back_to_before_what_kafka_has_lost(ring: Ring, replay: FakeReplay) -> None:
    viewer = resume(ring, str(at(2, 0)), None)
    viewer.position = at(1, 0)
    ring.append([event(0, n, 10 + n) for n in range(2, 9)], at(9, 2))
    viewer = resume(ring, str(at(2, 0)), None)
    assert viewer.is_behind
    ring.rewind(at(1, 2))
    ring.append([event(0, n, 30 + n) for n in range(1, 9)], at(9, 2))
    told = advance(viewer, ring, replay)
    assert told is not None
    (gap,) = blocks(told)
    assert (gap.json["reason"], gap.json["from"], gap.last_id) == ("recreated", str(at(2, 0)), str(at(1, 0)))
    assert advance(viewer, ring, replay) is None
    assert replay.asked == [at(1, 0)]


def test_viewer_that_was_not_that_far_is_not_told(ring: Ring, replay: FakeReplay) -> None:
    ring.append([event(0, n, 10 + n) for n in range(2, 9)], at(9, 2))
    viewer = resume(ring, str(at(1, 0)), None)
    ring.rewind(at(5, 2))
    ring.append([event(0, n, 30 + n) for n in range(5, 12)], at(12, 2))
    assert advance(viewer, ring, replay) == b""
    assert advance(viewer, ring, replay) is None
    assert replay.asked == [at(1, 0)]


def test_position_from_before_a_partition_was_added_begins_at_its_first_event(
    ring: Ring, replay: FakeReplay
) -> None:
    viewer = resume(ring, str(at(0)), None)
    assert viewer.position == at(0, 0)
    advance(viewer, ring, replay)
    assert replay.asked == [at(0, 0)]


def test_what_a_viewer_had_of_a_topic_hides_nothing_of_the_next_one(ring: Ring, replay: FakeReplay) -> None:
    """It had joined in the middle of a batch, and was sent back to Kafka, when the topic was created again."""
    viewer = resume(ring, str(at(0, 0)), None)
    replay.keep(at(0, 0), part(at(0, 0), at(2, 0), event(0, 0, 0), event(0, 1, 2)))
    advance(viewer, ring, replay)
    advance(viewer, ring, replay)
    assert viewer.since == at(2, 0)
    ring.append([event(0, n, 10 + n) for n in range(2, 9)], at(9, 2))
    assert viewer.take(ring, 1 << 20) == b""
    ring.open(at(0, 0, topic=OTHER_ID))
    ring.append([event(0, 0, 30)], at(1, 0, topic=OTHER_ID))
    advance(viewer, ring, replay)
    assert shown(take_all(ring, viewer)) == ["a0"]
