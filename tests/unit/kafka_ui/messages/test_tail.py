import threading

from kafka_ui.messages.tail import MOST_IN_BATCH, MOST_TAILS, Tails
from tests.clock import FakeClock
from tests.unit.kafka_ui.messages.fake_topic import FakeTopic, message


def tails(stopping: threading.Event | None = None) -> Tails:
    return Tails(stopping or threading.Event(), FakeClock(tick_s=0.1))


def test_messages_come_in_batches_that_say_what_they_leave_out() -> None:
    topic = FakeTopic(*(message(0, offset, at=offset) for offset in range(40)))
    followed = tails().follow(topic, "t", {0: 0}, lambda: False)
    assert followed is not None
    offsets: list[int] = []
    skipped = 0
    while not offsets or offsets[-1] < 39:
        batch = next(followed)
        assert len(batch.messages) <= MOST_IN_BATCH
        offsets += [each.offset for each in batch.messages]
        skipped += batch.skipped
    assert len(offsets) + skipped == 40
    assert offsets == sorted(offsets)
    followed.close()
    assert topic.open == 0


def test_quiet_topic_has_a_heartbeat() -> None:
    followed = tails().follow(FakeTopic(ends={0: 5}), "t", {0: 5}, lambda: False)
    assert followed is not None
    assert next(followed) == ([], 0, {0: 5})


def test_tail_ends_when_the_viewer_is_gone_and_when_the_process_stops() -> None:
    stopping, is_gone = threading.Event(), threading.Event()
    topic = FakeTopic(ends={0: 0})
    for flag in (is_gone, stopping):
        followed = tails(stopping).follow(topic, "t", {0: 0}, is_gone.is_set)
        assert followed is not None
        flag.set()
        assert list(followed) == []
        is_gone.clear()
    assert topic.open == 0


def test_tails_are_limited_and_a_closed_one_makes_room() -> None:
    limited, topic = tails(), FakeTopic(ends={0: 0})
    followed = [limited.follow(topic, "t", {0: 0}, lambda: False) for _ in range(MOST_TAILS)]
    assert all(followed)
    assert limited.follow(topic, "t", {0: 0}, lambda: False) is None
    assert followed[0] is not None
    followed[0].close()
    assert limited.follow(topic, "t", {0: 0}, lambda: False) is not None
