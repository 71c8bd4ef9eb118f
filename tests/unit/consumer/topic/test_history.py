import json

import pytest

from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.ring.types import Event
from consumer.topic.history import History, WrongTopic
from consumer.topic.kafka import KafkaUnavailable
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import OTHER_ID, TOPIC_ID, FakeTopic, event


def looking_back(topic: FakeTopic, ring_from: tuple[int, ...]) -> History:
    """A ring that begins in the middle of the topic."""
    ring = Ring(1000, 1 << 20)
    ring.open(Position(TOPIC_ID, ring_from))
    offsets = list(ring_from)
    for partition, log in enumerate(topic.logs):
        for offset, (at, value) in enumerate(log[ring_from[partition] :], ring_from[partition]):
            offsets[partition] = offset + 1
            held = [Event(partition, offset, at, value or b"")]
            ring.append(held, Position(TOPIC_ID, tuple(offsets)))
    return History(ring, topic, topic.open_reader, timeout_s=1, event_bytes=10_000, clock=FakeClock())


def orders(payloads: list[bytes]) -> list[str]:
    return [json.loads(payload)["subject"] for payload in payloads]


def alternating(many: int) -> FakeTopic:
    """o0 in partition 0, o1 in partition 1, o2 in partition 0…, a millisecond apart."""
    topic = FakeTopic()
    for n in range(many):
        topic.put(n % 2, event(f"o{n}"), at=n)
    return topic


def test_pages_lead_back_from_ring_through_kafka_to_the_beginning() -> None:
    history = looking_back(alternating(40), (15, 15))
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


def test_a_ring_that_holds_the_whole_topic_needs_no_kafka() -> None:
    topic = alternating(4)
    history = looking_back(topic, (0, 0))
    topic.is_down = True
    assert history.page(None, 4).before is None
    first = history.page(None, 3)
    assert len(first.payloads) == 3
    assert first.before is not None
    last = history.page(first.before, 3)
    assert (len(last.payloads), last.before) == (1, None)
    assert topic.opened == []


def test_what_retention_took_is_the_beginning() -> None:
    topic = alternating(20)
    topic.first = [6, 6]
    page = looking_back(topic, (10, 10)).page(None, 100)
    assert orders(page.payloads) == [f"o{n}" for n in range(19, 11, -1)]
    assert page.before is None


def test_garbage_makes_a_page_short_but_never_stops_the_way_back() -> None:
    topic = FakeTopic()
    topic.put(0, *(event(f"a{n}") for n in range(5)), *[b"garbage"] * 30, at=1)
    topic.put(1, *(event(f"b{n}") for n in range(5)), at=2)
    history = looking_back(topic, (35, 5))
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


def test_a_cursor_of_another_topic_is_refused() -> None:
    with pytest.raises(WrongTopic):
        looking_back(alternating(4), (0, 0)).page(Position(OTHER_ID, (1, 1)), 5)


def test_without_kafka_what_is_held_is_still_shown() -> None:
    topic = alternating(8)
    history = looking_back(topic, (2, 2))

    def no_answer(partitions: int) -> tuple[int, ...]:
        raise KafkaUnavailable("no answer")

    topic.beginning_offsets = no_answer  # type: ignore[method-assign]  # Kafka goes away
    page = history.page(None, 50)
    assert len(page.payloads) == 4
    assert page.before == Position(TOPIC_ID, (2, 2))
    with pytest.raises(KafkaUnavailable):
        history.page(page.before, 50)


def test_a_partition_that_gives_nothing_ends_in_an_answer() -> None:
    topic = alternating(8)
    history = looking_back(topic, (2, 2))
    clock = FakeClock()
    history._clock = clock

    class Silent:
        def read(self, timeout: float) -> object:
            clock.now += 0.5
            return type(topic.open_reader([9, 9]).read(0))([], {}, set())

        def close(self) -> None:
            return

    history._open_reader = lambda offsets: Silent()  # type: ignore[assignment,return-value]  # hangs
    with pytest.raises(KafkaUnavailable, match="in time"):
        history.page(Position(TOPIC_ID, (2, 2)), 5)
