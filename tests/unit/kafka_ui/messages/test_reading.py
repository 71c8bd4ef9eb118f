import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_ui.messages import reading
from kafka_ui.messages.message import Message
from kafka_ui.messages.reading import Gone, Limits, Range, newest, of_key, onward
from tests.clock import FakeClock
from tests.unit.kafka_ui.messages.fake_topic import FakeTopic, message


def limits(tick_s: float = 0.0) -> Limits:
    return Limits(2.0, clock=FakeClock(tick_s=tick_s))


def places(messages: list[Message]) -> list[tuple[int, int]]:
    return [(each.partition, each.offset) for each in messages]


def test_newest_messages_of_all_partitions_come_first_and_the_next_page_goes_on() -> None:
    topic = FakeTopic(*(message(each % 2, each // 2, at=each) for each in range(10)))
    first = newest(topic, "t", topic.ranges, {}, 4, limits())
    assert [each.timestamp_ms for each in first.messages] == [9, 8, 7, 6]
    assert first.next is not None
    second = newest(topic, "t", topic.ranges, first.next, 100, limits())
    assert [each.timestamp_ms for each in second.messages] == [5, 4, 3, 2, 1, 0]
    assert second.next is None


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60),
    st.integers(1, 7),
)
def test_pages_hold_every_message_once_and_in_order(log: list[tuple[int, bool]], most: int) -> None:
    """Offsets without a message are markers of transactions."""
    ends = dict.fromkeys(range(3), 0)
    messages = []
    for at, (partition, is_message) in enumerate(log):
        if is_message:
            messages.append(message(partition, ends[partition], at=at))
        ends[partition] += 1
    topic = FakeTopic(*messages, ends=ends)
    seen: list[int] = []
    before: dict[int, int] | None = {}
    for _ in range(200):
        page = newest(topic, "t", topic.ranges, before or {}, most, limits())
        seen += [each.timestamp_ms for each in page.messages]
        before = page.next
        if before is None:
            break
    assert before is None
    assert seen == [each.timestamp_ms for each in reversed(messages)]
    seen, after = [], dict.fromkeys(range(3), 0)
    for _ in range(200):
        page = onward(topic, "t", topic.ranges, after, most, limits())
        seen += [each.timestamp_ms for each in page.messages]
        if page.next is None:
            break
        after = page.next
    assert seen == [each.timestamp_ms for each in messages]


def test_partition_that_gives_nothing_in_time_is_named_and_read_again_by_the_next_page() -> None:
    topic = FakeTopic(*(message(partition, offset, at=offset) for partition in (0, 1) for offset in range(3)))
    topic.stuck = {1}
    page = newest(topic, "t", topic.ranges, {}, 10, limits(tick_s=0.1))
    assert (places(page.messages), page.unread) == ([(0, 2), (0, 1), (0, 0)], [1])
    assert page.next == {0: 0, 1: 3}


def test_read_ends_when_nobody_waits_for_it_any_more() -> None:
    topic = FakeTopic(message(0, 0, at=0))
    with pytest.raises(Gone):
        newest(topic, "t", topic.ranges, {}, 10, Limits(2.0, is_gone=lambda: True))
    assert topic.open == 0


def test_offset_that_is_gone_begins_with_the_first_that_is_there() -> None:
    topic = FakeTopic(*(message(0, offset, at=offset) for offset in range(5, 8)))
    page = onward(topic, "t", {0: Range(5, 8)}, {0: 1}, 10, limits())
    assert places(page.messages) == [(0, 5), (0, 6), (0, 7)]


def test_all_versions_of_one_key_come_in_order_and_from_its_partition_only() -> None:
    topic = FakeTopic(*(message(0, offset, at=offset, key=b"ab"[offset % 2 :][:1]) for offset in range(9)))
    found = of_key(topic, "t", 0, b"a", Range(0, 9), limits())
    assert (places(found.messages), found.next) == ([(0, offset) for offset in range(0, 9, 2)], None)
    assert topic.opened == [{0: 0}]


def test_search_for_a_key_says_where_it_stopped_and_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "MOST_SCANNED", 3)
    topic = FakeTopic(*(message(0, offset, at=offset, key=b"a") for offset in range(5)))
    found = of_key(topic, "t", 0, b"a", Range(0, 5), limits())
    assert (len(found.messages), found.next, found.scanned) == (3, {0: 3}, 3)
    assert places(of_key(topic, "t", 0, b"a", Range(3, 5), limits()).messages) == [(0, 3), (0, 4)]


def test_search_for_a_key_ends_with_its_time() -> None:
    topic = FakeTopic(message(0, 0, at=0), ends={0: 9})
    topic.stuck = {0}
    found = of_key(topic, "t", 0, b"k", Range(0, 9), limits(tick_s=0.1))
    assert (found.messages, found.next) == ([], {0: 0})
