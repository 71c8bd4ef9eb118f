import json

import pytest

from consumer.topic.deduplicator import Deduplicator
from consumer.topic.events import OrderEvent, UnreadableEvent, read_event
from tests.unit.consumer.topic.fake_kafka import event

LONGEST = 10_000


def read(payload: bytes | None) -> OrderEvent:
    return read_event(payload, LONGEST)


def test_an_order_event_is_read() -> None:
    assert read(event("o1", 3)) == OrderEvent("o1-3", "order.placed", "o1", 3)


def test_unknown_fields_and_unknown_order_types_pass() -> None:
    assert read(event("o1", type="order.refunded", shade="blue")).type == "order.refunded"


def test_a_test_event_is_the_only_one_of_its_subject() -> None:
    assert read(event("t1", type="test.event", data={"message": "hi"})).version == 1


def test_json_over_several_lines_passes() -> None:
    assert read(json.dumps(json.loads(event("o1")), indent=2).encode()).subject == "o1"


@pytest.mark.parametrize(
    "payload",
    [
        None,
        b"",
        b"hello",
        b"null",
        b"[1]",
        b"\xff\xfe{}",
        b"[" * 5000,
        event("o1")[:-1],
        event("o1") + b"\r\n",
        event("o1", data={"version": float("nan")}),
        event("o1").replace(b'"version":1', b'"version":' + b"1" * 5000),
        "\ufeff".encode() + event("o1"),
        event("o1").decode().encode("utf-16"),
        event("o1", specversion="0.3"),
        event("o1", type="payment.made"),
        event("o1", type=7),
        event("o1", id=""),
        event("o1", subject=None),
        event("o1", data=None),
        event("o1", data={}),
        event("o1", data={"version": "1"}),
        event("o1", data={"version": True}),
        event("o1", data={"version": 0}),
        event("o1", padding="x" * LONGEST),
    ],
)
def test_what_is_no_event_is_refused(payload: bytes | None) -> None:
    with pytest.raises(UnreadableEvent):
        read(payload)


def test_only_a_higher_version_of_an_order_is_new() -> None:
    repeats = Deduplicator(max_orders=10)
    seen = [
        (order, version) for order, version in [("a", 1), ("a", 1), ("a", 2), ("b", 1), ("a", 1), ("a", 2)]
    ]
    assert [repeats.is_duplicate(read(event(*each))) for each in seen] == [
        False,
        True,
        False,
        False,
        True,
        True,
    ]


def test_the_orders_touched_lately_are_remembered_and_no_more() -> None:
    repeats = Deduplicator(max_orders=2)
    answers = [repeats.is_duplicate(read(event(order))) for order in ("a", "b", "a", "c", "a", "b")]
    assert answers == [False, False, True, False, True, False]
