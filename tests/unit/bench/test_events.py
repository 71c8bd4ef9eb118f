import json

from bench.fanout.events import MARK, MARK_BYTES, STRIDE, event
from consumer.topic.events import read_event


def test_consumer_can_read_the_event() -> None:
    assert read_event(event(7, 123), 1 << 16).version == 1


def test_orders_differ() -> None:
    assert read_event(event(7, 0), 1 << 16).subject != read_event(event(8, 0), 1 << 16).subject


def test_event_bears_its_number_and_when_it_was_due() -> None:
    assert json.loads(event(7, 123))["data"]["description"] == MARK % (7, 123)


def test_marks_are_never_nearer_than_the_stride() -> None:
    stream = b"".join(event(number, number * 10**15) for number in range(1, 4))
    first = stream.index(b"seq=")
    assert stream.index(b"seq=", first + 1) == first + MARK_BYTES + STRIDE
