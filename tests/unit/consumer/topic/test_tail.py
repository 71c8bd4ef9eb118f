import logging

import pytest

from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.topic.deduplicator import Deduplicator
from consumer.topic.freshness import FreshnessMonitor
from consumer.topic.tail import Tail
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import MARKER, OTHER_ID, TOPIC_ID, FakeTopic, event


class Reading:
    """A tail on a topic in memory."""

    def __init__(self, topic: FakeTopic, history: int = 100) -> None:
        self.ring = Ring(1000, 1 << 20)
        clock = FakeClock()
        self.monitor = FreshnessMonitor(topic, interval_s=2, stale_after_s=10, clock=clock)
        self.tail = Tail(
            self.ring, self.monitor, topic, topic.open_reader, Deduplicator(100),
            history=history, backfill_bytes=1 << 20, event_bytes=10_000, clock=clock,
        )  # fmt: skip
        self.topic = topic

    def run(self) -> None:
        self.tail.run(self.topic.over)

    @property
    def shown(self) -> list[bytes]:
        return [event.payload for event in self.ring.newest_first()][::-1]

    @property
    def gaps(self) -> list[str]:
        batches, _ = self.ring.snapshot()
        return [batch.gap.reason for batch in batches if batch.gap]


def test_it_reads_back_and_goes_on() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"))
    topic.story = [lambda: topic.put(1, event("b"))]
    reading = Reading(topic)
    reading.run()
    assert reading.shown == [event("a"), event("b")]
    assert reading.ring.position == Position(TOPIC_ID, (1, 1))
    assert reading.tail.caught_up.is_set()
    assert reading.monitor.is_fresh


def test_the_past_is_in_order_of_time_across_partitions() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), at=1)
    topic.put(0, event("c"), at=3)
    topic.put(1, event("b"), at=2)
    topic.put(1, event("d"), at=4)
    reading = Reading(topic)
    reading.run()
    assert reading.shown == [event(order) for order in "abcd"]


def test_no_more_past_than_asked_for_is_read_back() -> None:
    topic = FakeTopic()
    topic.put(0, *(event(f"o{n}") for n in range(50)))
    reading = Reading(topic, history=20)
    reading.run()
    assert topic.opened == [[40, 0]]
    assert len(reading.shown) == 10


def test_garbage_is_skipped_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), b"garbage", None, event("b"))
    reading = Reading(topic)
    with caplog.at_level(logging.WARNING):
        reading.run()
    assert reading.shown == [event("a"), event("b")]
    assert reading.tail.counts.unreadable == 2
    assert reading.ring.position.offsets == (4, 0)
    assert "partition 0 offset 1" in caplog.text
    assert "partition 0 offset 2" in caplog.text


def test_of_a_flood_of_garbage_all_is_counted_and_not_all_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic = FakeTopic()
    topic.put(0, *[b"garbage"] * 3000)
    reading = Reading(topic, history=10_000)
    with caplog.at_level(logging.WARNING):
        reading.run()
    assert reading.tail.counts.unreadable == 3000
    assert len(caplog.records) == 1020


def test_repeats_are_dropped_and_the_position_moves_on() -> None:
    topic = FakeTopic()
    topic.put(0, event("a", 1), event("a", 2), event("a", 1), event("a", 2), event("a", 3))
    reading = Reading(topic)
    reading.run()
    assert reading.shown == [event("a", version) for version in (1, 2, 3)]
    assert reading.tail.counts.repeats == 2
    assert reading.ring.position.offsets == (5, 0)


def test_markers_at_the_end_of_a_log_do_not_look_like_unread_events() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), MARKER)
    topic.story = [lambda: topic.put(1, event("b"), MARKER), lambda: reading.monitor.refresh()]
    reading = Reading(topic)
    reading.run()
    assert reading.ring.position.offsets == (2, 2)
    assert reading.monitor.is_fresh


def test_retention_that_overtakes_is_told_and_reading_goes_on() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"))

    def overtake() -> None:
        topic.put(0, event("b"), event("c"))
        topic.first[0] = 2

    topic.story = [overtake]
    reading = Reading(topic)
    reading.run()
    assert reading.shown == [event("a"), event("c")]
    assert reading.gaps == ["expired"]
    assert topic.opened == [[0, 0], [2, 0]]


def test_a_recreated_topic_is_recreated_read_from_its_beginning() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"))
    reading = Reading(topic)

    def recreate() -> None:
        topic.recreate()
        topic.put(0, event("a"), event("b"))
        reading.monitor.refresh()

    topic.story = [recreate]
    reading.run()
    assert reading.gaps == ["recreated"]
    assert reading.shown == [event("a"), event("b")]
    assert reading.ring.position == Position(OTHER_ID, (2, 0))


def test_partitions_that_are_added_are_read_from_their_beginning() -> None:
    topic = FakeTopic(partitions=1)
    topic.put(0, event("a"))
    reading = Reading(topic)

    def grow() -> None:
        topic.logs.append([(0, event("b"))])
        topic.first.append(0)
        reading.monitor.refresh()

    topic.story = [grow]
    reading.run()
    assert reading.shown == [event("a"), event("b")]
    assert reading.gaps == []
    assert reading.ring.position.offsets == (1, 1)


def test_a_log_that_was_cut_back_is_recreated() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), event("b"))

    def cut_back() -> None:
        topic.logs[0] = topic.logs[0][:1]
        topic.story = [lambda: topic.put(0, event("c"))]

    topic.story = [cut_back]
    reading = Reading(topic)
    reading.run()
    assert reading.gaps == ["recreated"]
    assert reading.ring.position.offsets == (2, 0)
    assert reading.shown == [event("c")]


def test_while_kafka_is_away_it_says_so_and_tries_again() -> None:
    topic = FakeTopic()
    topic.is_down = True
    topic.put(0, event("a"))
    reading = Reading(topic)
    problems = []

    class Tries(type(topic.over)):  # type: ignore[misc]  # a flag whose waits are the story
        def wait(self, timeout: float | None = None) -> bool:
            problems.append(reading.monitor.problem)
            topic.is_down = False
            return self.is_set()

    topic.over = Tries()
    reading.run()
    assert problems[0] == "no answer"
    assert reading.monitor.problem == ""
    assert reading.shown == [event("a")]
