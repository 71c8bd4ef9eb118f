"""A stretch of the topic, read anew: complete, in order of time, never beyond where it may go."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.ring.position import Position
from consumer.ring.types import Event, Slice
from consumer.topic.deduplicator import Deduplicator
from consumer.topic.kafka import KafkaUnavailable
from consumer.topic.replay import PART_BYTES
from consumer.topic.stretch import BUFFER_BYTES, GIVE_UP_S, PART_OFFSETS, PATIENCE_S, Stretch
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import MARKER, TOPIC_ID, FakeTopic, event, signpost


def at(*offsets: int) -> Position:
    return Position(TOPIC_ID, offsets)


def stretch_of(
    topic: FakeTopic, *offsets: int, clock: FakeClock | None = None, partitions: int = 0
) -> Stretch:
    return Stretch(
        topic, topic.open_reader, Deduplicator(1000), at(*offsets), partitions or len(topic.logs),
        event_bytes=10_000, clock=clock or FakeClock(tick_s=0.01),
    )  # fmt: skip


def events_of(part: Slice) -> list[Event]:
    return [event for batch in part.batches for event in batch.events]


def orders(part: Slice) -> list[str]:
    return [json.loads(event.payload)["subject"] for event in events_of(part)]


def read_all(stretch: Stretch, until: Position) -> list[Slice]:
    """Return the parts up to a position."""
    parts = []
    while not stretch.position.covers(until):
        parts.append(stretch.read(until, PART_BYTES))
    return parts


def test_partitions_are_merged_by_their_time() -> None:
    topic = FakeTopic(3)
    for n in range(30):
        topic.put(n % 3, event(f"o{n}"), at=n)
    part = stretch_of(topic, 0, 0, 0).read(at(10, 10, 10), PART_BYTES)
    assert orders(part) == [f"o{n}" for n in range(30)]
    assert part.position == at(10, 10, 10)


def test_what_filters_ask_is_read() -> None:
    topic = FakeTopic(1)
    topic.put(0, event("o1", type="order.shipped"))
    (read,) = events_of(stretch_of(topic, 0).read(at(1), PART_BYTES))
    assert (read.type, read.subject) == ("order.shipped", "o1")


def test_nothing_is_given_beyond_where_the_ring_is() -> None:
    topic = FakeTopic(2)
    for n in range(10):
        topic.put(n % 2, event(f"o{n}"), at=n)
    stretch = stretch_of(topic, 0, 0)
    part = stretch.read(at(3, 2), PART_BYTES)
    assert (orders(part), part.position) == (["o0", "o1", "o2", "o3", "o4"], at(3, 2))
    assert orders(stretch.read(at(5, 5), PART_BYTES)) == ["o5", "o6", "o7", "o8", "o9"]


def test_partition_in_which_the_viewer_is_ahead_stays_where_it_is() -> None:
    topic = FakeTopic(2)
    for n in range(10):
        topic.put(n % 2, event(f"o{n}"), at=n)
    part = stretch_of(topic, 0, 5).read(at(5, 2), PART_BYTES)
    assert (orders(part), part.position) == (["o0", "o2", "o4", "o6", "o8"], at(5, 5))


def test_viewer_that_is_ahead_of_kafka_is_not_sent_what_it_has_when_kafka_gets_there() -> None:
    topic = FakeTopic(1)
    topic.put(0, event("o0"))
    stretch = stretch_of(topic, 3)
    topic.put(0, event("o1"), event("o2"), event("o3"))
    assert orders(stretch.read(at(4), PART_BYTES)) == ["o3"]


def test_partition_that_the_ring_does_not_know_yet_is_kept_in_the_position() -> None:
    topic = FakeTopic(1)
    topic.put(0, event("o0"))
    part = stretch_of(topic, 0, 7, partitions=1).read(at(1), PART_BYTES)
    assert part.position == at(1, 7)


def test_partition_that_was_added_is_read_from_its_beginning() -> None:
    topic = FakeTopic(2)
    topic.put(1, event("o1"))
    assert orders(stretch_of(topic, 0).read(at(0, 1), PART_BYTES)) == ["o1"]


def test_position_moves_past_what_is_not_shown() -> None:
    topic = FakeTopic(1)
    topic.put(0, event("o0"), event("o0"), b"garbage", None, MARKER, MARKER)
    part = stretch_of(topic, 0).read(at(6), PART_BYTES)
    assert (orders(part), part.position) == (["o0"], at(6))


def test_what_retention_has_deleted_is_told_and_nothing_else() -> None:
    topic = FakeTopic(2)
    for n in range(10):
        topic.put(n % 2, event(f"o{n}"), at=n)
    topic.first = [3, 0]
    part = stretch_of(topic, 1, 1).read(at(5, 5), PART_BYTES)
    gap = part.batches[0].gap
    assert gap is not None
    assert (gap.reason, gap.start, gap.end, gap.lost) == ("expired", at(1, 1), at(3, 1), {"0": [1, 3]})
    assert orders(part) == ["o3", "o5", "o6", "o7", "o8", "o9"]


def test_gap_is_told_once() -> None:
    topic = FakeTopic(1)
    topic.put(0, *(event(f"o{n}") for n in range(6)))
    topic.first = [2]
    stretch = stretch_of(topic, 0)
    stretch.read(at(4), PART_BYTES)
    assert not any(batch.gap for batch in stretch.read(at(6), PART_BYTES).batches)


def test_topic_that_was_created_again_is_not_taken_for_the_old_one() -> None:
    topic = FakeTopic(1)
    topic.put(0, event("o0"), event("o1"))
    stretch = stretch_of(topic, 0)
    stretch.read(at(1), PART_BYTES)
    topic.recreate(1)
    with pytest.raises(KafkaUnavailable, match="created anew"):
        stretch.read(at(2), PART_BYTES)
    with pytest.raises(KafkaUnavailable, match="created anew"):
        stretch_of(topic, 0)


def test_log_that_moves_meanwhile_ends_the_stretch() -> None:
    topic = FakeTopic(1)
    topic.put(0, event("o0"), event("o1"))
    stretch = stretch_of(topic, 0)
    topic.first = [1]
    with pytest.raises(KafkaUnavailable, match="moved"):
        stretch.read(at(2), PART_BYTES)


def test_partition_that_gives_nothing_keeps_the_others_waiting_for_a_moment_only() -> None:
    topic, clock = FakeTopic(2), FakeClock(tick_s=0.01)
    topic.put(0, event("o0"))
    topic.put(1, event("o1"), at=5)
    topic.stuck = {0}
    stretch, since = stretch_of(topic, 0, 0, clock=clock), clock.now
    part = stretch.read(at(1, 1), PART_BYTES)
    assert (orders(part), part.position) == (["o1"], at(0, 1))
    assert PATIENCE_S < clock.now - since < PATIENCE_S + 1
    topic.stuck = set()
    assert orders(stretch.read(at(1, 1), PART_BYTES)) == ["o0"]


def live_on(topic: FakeTopic, clock: FakeClock, partition: int, per_step: int) -> None:
    """Let something new come to a partition, and time pass, each time a reader has read all there is."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        assert steps < 500, "it would go on for ever"
        clock.now += 0.1
        topic.put(partition, *(event(f"live{steps}-{n}", note="x" * 5000) for n in range(per_step)))
        topic.steps.append(step)

    topic.steps.append(step)


def test_silent_partition_is_given_up_while_another_is_busy() -> None:
    topic, clock = FakeTopic(2), FakeClock()
    topic.put(0, event("o0"))
    topic.stuck = {0}
    live_on(topic, clock, 1, per_step=1)
    stretch, since = stretch_of(topic, 0, 0, clock=clock), clock.now
    with pytest.raises(KafkaUnavailable, match="nothing has come from partitions"):
        stretch.read(at(1, 0), PART_BYTES)
    assert clock.now - since < GIVE_UP_S + 1


def test_busy_partition_does_not_take_memory_without_a_bound_meanwhile() -> None:
    topic, clock = FakeTopic(2), FakeClock()
    topic.put(0, event("o0"))
    topic.stuck = {0}
    live_on(topic, clock, 1, per_step=100)
    stretch = stretch_of(topic, 0, 0, clock=clock)
    with pytest.raises(KafkaUnavailable):
        stretch.read(at(1, 0), PART_BYTES)
    assert stretch._bytes < BUFFER_BYTES + 100 * 6000


def test_patience_with_a_silent_partition_ends_while_another_is_busy() -> None:
    topic, clock = FakeTopic(2), FakeClock()
    topic.put(0, event("o0"))
    topic.put(1, event("p0"))
    topic.stuck = {0}
    live_on(topic, clock, 1, per_step=1)
    stretch, since = stretch_of(topic, 0, 0, clock=clock), clock.now
    assert orders(stretch.read(at(1, 1), PART_BYTES)) == ["p0"]
    assert clock.now - since < PATIENCE_S + 1


def test_reader_from_which_nothing_comes_is_given_up() -> None:
    topic, clock = FakeTopic(1), FakeClock(tick_s=0.01)
    topic.put(0, event("o0"))
    topic.silent_readers = 1
    stretch, since = stretch_of(topic, 0, clock=clock), clock.now
    with pytest.raises(KafkaUnavailable, match="nothing has come from partitions"):
        stretch.read(at(1), PART_BYTES)
    assert GIVE_UP_S < clock.now - since < GIVE_UP_S + 1


def test_order_of_time_is_given_up_where_it_would_take_too_much_memory() -> None:
    topic = FakeTopic(2)
    topic.put(0, *(event(f"o{n}", note="x" * 9000) for n in range(1000)), at=10)
    topic.put(1, event("early"), at=5)
    topic.stuck = {1}
    stretch = stretch_of(topic, 0, 0)
    assert stretch.read(at(1000, 1), PART_BYTES).position.at(0) > 0
    assert stretch._bytes < 2 * BUFFER_BYTES + 1000 * 9500


def test_viewers_that_begin_at_different_places_come_to_the_same_parts() -> None:
    topic = FakeTopic(2)
    for n in range(4 * PART_OFFSETS):
        topic.put(n % 2, event(f"o{n}"), at=n)
    until = at(2 * PART_OFFSETS, 2 * PART_OFFSETS)
    first = [part.position for part in read_all(stretch_of(topic, 0, 0), until)]
    other = [part.position for part in read_all(stretch_of(topic, 17, 4), until)]
    assert first == other
    assert len(first) > 2


def test_part_is_bounded_whatever_the_events_weigh() -> None:
    topic = FakeTopic(1)
    topic.put(0, *(event(f"o{n}", note="x" * 9000) for n in range(1000)))
    parts = read_all(stretch_of(topic, 0), at(1000))
    assert max(sum(event.size for event in events_of(part)) for part in parts) < (1 << 20) + 10_000
    assert [order for part in parts for order in orders(part)] == [f"o{n}" for n in range(1000)]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), max_size=60),
    st.tuples(*[st.integers(0, 8)] * 3),
    st.tuples(*[st.integers(0, 20)] * 3),
)
@settings(max_examples=300, deadline=None)
def test_everything_from_a_position_on_comes_once_and_in_order(
    written: Sequence[tuple[int, int, bool]], start: tuple[int, ...], until: tuple[int, ...]
) -> None:
    topic, now = FakeTopic(3), 0
    for n, (partition, pause, is_odd) in enumerate(written):
        now += pause
        topic.put(partition, b"odd" if is_odd else event(f"o{n}"), at=now)
    ends = topic.end_offsets(3)
    start = tuple(map(min, start, ends))
    until = tuple(map(min, until, ends))
    stretch = stretch_of(topic, *start)
    read: list[Event] = []
    positions = [stretch.position]
    while not stretch.position.covers(at(*until)):
        read += events_of(stretch.read(at(*until), PART_BYTES))
        positions.append(stretch.position)
    assert all(later.covers(earlier) for earlier, later in pairwise(positions))
    for partition in range(3):
        expected = [
            (offset, value)
            for offset, (_, value) in enumerate(topic.logs[partition])
            if start[partition] <= offset < until[partition] and value != b"odd"
        ]
        assert [(e.offset, e.payload) for e in read if e.partition == partition] == expected
    times = [event.timestamp_ms for event in read]
    assert times == sorted(times)


def versions(parts: Sequence[Slice]) -> list[tuple[str, int]]:
    found = [json.loads(event.payload)["data"] for part in parts for event in events_of(part)]
    return [(each["order_id"], each["version"]) for each in found]


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("slow_ms", [0, 5000])
def test_later_events_in_another_partition_are_given_after_the_earlier_ones(first: int, slow_ms: int) -> None:
    """The topic was given a third partition. slow_ms: how slow the clock of its broker is."""
    topic = FakeTopic(3)
    topic.put(0, *(event(f"o{n}") for n in range(300)), signpost(300, 0), at=1000)
    topic.put(1, signpost(300, 0), event("o301"), at=1000)
    topic.put(2, signpost(300, 0), *(event(f"o{n}", 2) for n in range(300)), at=2000 - slow_ms)
    topic.read_first = first
    found = versions(read_all(stretch_of(topic, 0, 0), at(301, 2, 301)))
    assert len(found) == 601
    assert [each for each in found if each[0] == "o7"] == [("o7", 1), ("o7", 2)]
    assert all(found.index((f"o{n}", 1)) < found.index((f"o{n}", 2)) for n in range(300))


def test_partition_that_waits_takes_no_memory_meanwhile() -> None:
    topic = FakeTopic(2)
    topic.put(0, event("o1"), signpost(1))
    large = [event(f"large {n}", padding="x" * 1000) for n in range(3 * BUFFER_BYTES // 1000)]
    topic.put(1, signpost(1), *large)
    topic.read_first = 1
    ends = at(2, 1 + len(large))
    assert len(versions(read_all(stretch_of(topic, 0), ends))) == 1 + len(large)
    assert len(topic.opened) == 2


def test_stretch_that_begins_behind_a_signpost_waits_for_nobody() -> None:
    topic = FakeTopic(2)
    topic.put(0, event("o1"), signpost(1), event("o2"))
    topic.put(1, signpost(1), event("o1", 2))
    assert versions(read_all(stretch_of(topic, 2, 1), at(3, 2))) == [("o2", 1), ("o1", 2)]


def test_repeat_is_dropped_in_whatever_order_partitions_are_read() -> None:
    """A publisher that was frozen sends what is in Kafka already, by the old number of partitions."""
    topic = FakeTopic(2)
    topic.put(0, event("o1"), signpost(1), event("o1"), at=1)
    topic.put(1, signpost(1), event("o1", 2), event("o1", 3), at=2)
    topic.read_first = 1
    found = versions(read_all(stretch_of(topic, 0), at(3, 3)))
    assert found == [("o1", 1), ("o1", 2), ("o1", 3)]


def test_signposts_that_the_tail_has_passed_hold_up_nobody_for_ever() -> None:
    """Somebody else wrote them: two wait for one another, one for more than there is, one for what there never was."""
    topic = FakeTopic(3)
    topic.put(0, event("o1"), signpost(0, 9), event("o1", 2), at=1)
    topic.put(1, event("o2"), signpost(9), event("o2", 2), at=2)
    topic.put(2, signpost(0, 1 << 62), signpost(0, 0, 0, 7), event("o3"), at=3)
    until = at(3, 3, 3)
    topic.put(1, event("o4"))
    found = versions(read_all(stretch_of(topic, 0, 0, 0), until))
    assert sorted(found) == [("o1", 1), ("o1", 2), ("o2", 1), ("o2", 2), ("o3", 1)]


def test_stretch_that_does_not_read_a_partition_does_not_pass_what_waits_for_it() -> None:
    """It was opened before the partition was known, and is asked for more after."""
    topic = FakeTopic(3)
    topic.put(2, event("o1"), signpost(0, 0, 1))
    topic.put(0, signpost(0, 0, 1), event("o1", 2))
    topic.put(1, event("o2"), signpost(0, 0, 1))
    stretch = stretch_of(topic, 0, 0, partitions=2)
    stretch.read(at(0, 1, 0), PART_BYTES)
    stretch.read(at(2, 2, 2), PART_BYTES)
    assert stretch.position == at(0, 1)
