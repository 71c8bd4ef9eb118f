import json
from collections.abc import Sequence

import pytest

from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event
from consumer.topic.history import MAX_CONCURRENT_READS, History, WrongTopic
from consumer.topic.kafka import KafkaUnavailable, OpenReader, Read
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID, FakeTopic, event


def history_of(
    topic: FakeTopic,
    ring_from: tuple[int, ...],
    open_reader: OpenReader | None = None,
    clock: FakeClock | None = None,
) -> History:
    """Return the history of a topic whose ring begins at `ring_from`."""
    ring = Ring(1000, 1 << 20)
    ring.open(Position(TOPIC_ID, ring_from))
    offsets = list(ring_from)
    for partition, log in enumerate(topic.logs):
        for offset, (at, value) in enumerate(log[ring_from[partition] :], ring_from[partition]):
            offsets[partition] = offset + 1
            events = [Event(partition, offset, at, value or b"")]
            ring.append(events, Position(TOPIC_ID, tuple(offsets)))
    return History(
        ring,
        topic,
        open_reader or topic.open_reader,
        timeout_s=1,
        event_bytes=10_000,
        clock=clock or FakeClock(),
    )


def orders(payloads: list[bytes]) -> list[str]:
    """Return the order ids of events."""
    return [json.loads(payload)["subject"] for payload in payloads]


def alternating(many: int) -> FakeTopic:
    """Return a topic with o0 in partition 0, o1 in partition 1, o2 in partition 0…, a millisecond apart."""
    topic = FakeTopic()
    for n in range(many):
        topic.put(n % 2, event(f"o{n}"), at=n)
    return topic


def test_history_pages_lead_from_the_ring_through_kafka_to_the_beginning() -> None:
    history = history_of(alternating(40), (15, 15))
    pages, before = [], None
    while True:
        page = history.page(before, 7)
        pages.append(orders(page.payloads))
        before = page.before
        if before is None:
            break
    read = [order for page in pages for order in page]
    assert sorted(read[:10]) == sorted(f"o{n}" for n in range(30, 40))
    assert read[10:] == [f"o{n}" for n in range(29, -1, -1)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 5]


def test_history_needs_no_kafka_when_the_ring_holds_the_whole_topic() -> None:
    topic = alternating(4)
    history = history_of(topic, (0, 0))
    topic.is_down = True
    assert history.page(None, 4).before is None
    first = history.page(None, 3)
    assert len(first.payloads) == 3
    assert first.before is not None
    last = history.page(first.before, 3)
    assert (len(last.payloads), last.before) == (1, None)
    assert topic.opened == []


def test_history_ends_where_retention_has_deleted_the_log() -> None:
    topic = alternating(20)
    topic.first = [6, 6]
    page = history_of(topic, (10, 10)).page(None, 100)
    assert orders(page.payloads) == [f"o{n}" for n in range(19, 11, -1)]
    assert page.before is None


def test_unreadable_messages_shorten_a_history_page_but_do_not_end_the_history() -> None:
    topic = FakeTopic()
    topic.put(0, *(event(f"a{n}") for n in range(5)), *[b"garbage"] * 30, at=1)
    topic.put(1, *(event(f"b{n}") for n in range(5)), at=2)
    history = history_of(topic, (35, 5))
    read: list[str] = []
    before = None
    for _ in range(10):
        page = history.page(before, 10)
        read += orders(page.payloads)
        before = page.before
        if before is None:
            break
    assert before is None
    assert sorted(read) == sorted([f"a{n}" for n in range(5)] + [f"b{n}" for n in range(5)])


def test_history_refuses_a_cursor_of_another_topic() -> None:
    with pytest.raises(WrongTopic):
        history_of(alternating(4), (0, 0)).page(Position(OTHER_ID, (1, 1)), 5)


def test_history_refuses_a_cursor_with_more_partitions_than_the_topic() -> None:
    history = history_of(alternating(4), (0, 0))
    for offset in (0, 5):
        with pytest.raises(WrongTopic):
            history.page(Position(TOPIC_ID, (1, 1, offset)), 5)


def test_history_takes_a_cursor_from_a_replica_that_knows_a_partition_more() -> None:
    topic = alternating(4)
    history = history_of(topic, (0, 0))
    topic.logs.append([(9, event("new"))])
    topic.first.append(0)
    assert "new" in orders(history.page(Position(TOPIC_ID, (1, 1, 1)), 5).payloads)


def test_history_shows_the_ring_while_kafka_is_unavailable() -> None:
    topic = alternating(8)
    history = history_of(topic, (2, 2))
    topic.is_down = True
    page = history.page(None, 50)
    assert len(page.payloads) == 4
    assert page.before == Position(TOPIC_ID, (2, 2))
    with pytest.raises(KafkaUnavailable):
        history.page(page.before, 50)


def test_history_times_out_on_a_partition_that_delivers_nothing() -> None:
    clock = FakeClock()

    class SilentReader:
        """A reader that gets nothing, half a second at a time."""

        def read(self, timeout: float) -> Read:
            clock.now += 0.5
            return Read([], {}, set())

        def close(self) -> None: ...

    def open_silent_reader(offsets: Sequence[int]) -> SilentReader:
        return SilentReader()

    history = history_of(alternating(8), (2, 2), open_silent_reader, clock)
    with pytest.raises(KafkaUnavailable, match="in time"):
        history.page(Position(TOPIC_ID, (2, 2)), 5)


def test_history_before_a_cursor_of_a_faster_replica_is_complete() -> None:
    """What the other replica has read and we have not yet is in Kafka."""
    topic = alternating(40)
    history = history_of(topic, (0, 0))
    topic.put(0, event("new0"), at=40)
    topic.put(1, event("new1"), at=41)
    page = history.page(Position(TOPIC_ID, (21, 21)), 4)
    assert orders(page.payloads) == ["new1", "new0", "o39", "o38"]


def test_history_before_a_cursor_beyond_the_end_of_the_log_begins_at_the_end() -> None:
    page = history_of(alternating(4), (0, 0)).page(Position(TOPIC_ID, (90, 90)), 10)
    assert orders(page.payloads) == ["o3", "o2", "o1", "o0"]
    assert page.before is None


def test_history_cursor_from_before_partitions_were_added_holds_nothing_of_them() -> None:
    topic = FakeTopic(partitions=1)
    topic.put(0, *(event(f"a{n}") for n in range(6)))
    topic.logs.append([(9, event("b0"))])
    topic.first.append(0)
    history = history_of(topic, (3, 0))
    page = history.page(Position(TOPIC_ID, (5,)), 10)
    assert orders(page.payloads) == [f"a{n}" for n in (4, 3, 2, 1, 0)]
    assert page.before is None


def test_history_page_from_kafka_has_no_event_twice() -> None:
    topic = FakeTopic(partitions=1)
    topic.put(0, event("a", 1), event("a", 2), event("a", 1), event("b", 1))
    page = history_of(topic, (4,)).page(None, 10)
    assert [json.loads(payload)["id"] for payload in page.payloads] == ["b-1", "a-2", "a-1"]


def test_history_refuses_at_once_when_too_many_read_from_kafka() -> None:
    """Waiting in line would hold the threads that accept streams."""
    history = history_of(alternating(8), (2, 2))
    for _ in range(MAX_CONCURRENT_READS):
        history._reads.acquire()
    with pytest.raises(KafkaUnavailable, match="too many"):
        history.page(Position(TOPIC_ID, (2, 2)), 5)


def test_history_ends_where_retention_has_passed_the_cursor() -> None:
    topic = alternating(20)
    history = history_of(topic, (10, 10))
    topic.first = [8, 4]
    page = history.page(Position(TOPIC_ID, (6, 5)), 10)
    assert orders(page.payloads) == ["o9"]
    assert page.before is None


def test_history_is_not_read_yet_while_the_cursor_is_of_the_topic_that_has_just_been_created_anew() -> None:
    """Another replica has noticed before us; what we have is of the old topic, and nobody's history any more."""
    topic = alternating(4)
    history = history_of(topic, (0, 0))
    topic.recreate()
    with pytest.raises(KafkaUnavailable, match="created anew"):
        history.page(Position(OTHER_ID, (1, 1)), 5)


def test_history_whose_log_moves_while_it_is_read_is_unavailable() -> None:
    """A page without what was lost meanwhile would look complete."""
    topic = alternating(40)

    class RefusedReader:
        def read(self, timeout: float) -> Read:
            return Read([], {}, {0})

        def close(self) -> None:
            return

    history = history_of(topic, (20, 20), lambda offsets: RefusedReader(), FakeClock(tick_s=0.01))
    with pytest.raises(KafkaUnavailable, match="moved"):
        history.page(None, 7)


def test_history_is_given_up_in_time() -> None:
    clock = FakeClock(tick_s=0.1)

    class EmptyReader:
        def read(self, timeout: float) -> Read:
            return Read([], {}, set())

        def close(self) -> None:
            return

    history, since = history_of(alternating(40), (20, 20), lambda offsets: EmptyReader(), clock), clock.now
    with pytest.raises(KafkaUnavailable, match="in time"):
        history.page(None, 7)
    assert clock.now - since < 1.5
