import json

import pytest

from consumer.topic.events import OrderEvent, UnreadableEvent, read_event
from tests.unit.consumer.topic.fake_kafka import event

LONGEST = 10_000


def read(payload: bytes | None) -> OrderEvent:
    return read_event(payload, LONGEST)


def test_order_event_is_read() -> None:
    assert read(event("o1", 3)) == OrderEvent("o1-3", "order.placed", "o1", 3)


def test_unknown_fields_and_unknown_order_types_are_accepted() -> None:
    assert read(event("o1", type="order.refunded", shade="blue")).type == "order.refunded"


def test_version_of_a_test_event_is_1() -> None:
    assert read(event("t1", type="test.event", data={"message": "hi"})).version == 1


def test_event_over_several_lines_is_accepted() -> None:
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
        event("o1", shade=float("nan")),  # a browser's JSON.parse refuses the whole
        event("o1", shade=float("-inf")),
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
def test_unreadable_event_is_refused(payload: bytes | None) -> None:
    with pytest.raises(UnreadableEvent):
        read(payload)
