import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from projector.readmodel.events import UnreadableEvent, read_event, read_order_id
from tests.order_events import FIRST, TEST_EVENT, Told

TOLD = Told(UUID(int=1))


def changed(**data: Any) -> bytes:
    event = json.loads(TOLD.value)
    event["data"] |= data
    return json.dumps(event).encode()


def envelope(**fields: Any) -> bytes:
    return json.dumps(json.loads(TOLD.value) | fields).encode()


def test_event_is_read() -> None:
    event = read_event(TOLD.value)
    assert event is not None
    assert (event.order_id, event.version, event.status) == (str(TOLD.order_id), 1, "placed")
    assert (event.item, event.quantity, event.total, event.time) == ("Basic Tee", 2, Decimal("64.00"), FIRST)


def test_unknown_fields_and_an_unknown_status_pass() -> None:
    event = read_event(replace(TOLD, status="returned").value)
    assert event is not None
    assert event.status == "returned"
    assert read_event(changed(gift=True)) == read_event(TOLD.value)


@pytest.mark.parametrize("value", [TEST_EVENT, envelope(type="invoice.sent", data=None)])
def test_what_is_not_about_orders_is_ignored(value: bytes) -> None:
    assert read_event(value) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value"),
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b'{"a": NaN}', "not JSON"),
        (envelope(specversion="0.3"), "not CloudEvents 1.0"),
        (envelope(type=None), "no type"),
        (envelope(type="order.shipped"), "type and status differ"),
        (envelope(data=[]), "no data"),
        (envelope(time="2026-02-30T00:00:00.000000Z"), "no time"),
        (envelope(time="2026-11-22"), "no time"),
        (changed(order_id="1"), "no order_id"),
        (changed(version=0), "no version"),
        (changed(version=True), "no version"),
        (changed(version=1.0), "no version"),
        (changed(version=1 << 53), "no version"),
        (changed(status="Placed"), "no status"),
        (changed(quantity=1 << 31), "no quantity"),
        (changed(total="1e2"), "no total"),
        (changed(total="NaN"), "no total"),
        (changed(total=64), "no total"),
        (changed(total="\u0661.00"), "no total"),
        (changed(item=""), "no item"),
        (changed(item="a\0b"), "no item"),
        (changed(item="\ud800"), "no item"),
        (changed(item="a" * 201), "no item"),
    ],
)
def test_what_cannot_be_stored_is_unreadable_and_says_why(value: bytes | None, reason: str) -> None:
    with pytest.raises(UnreadableEvent, match=reason):
        read_event(value)


def test_key_names_the_order() -> None:
    assert read_order_id(TOLD.key) == str(TOLD.order_id)
    assert read_order_id(None) is None
    assert read_order_id(b"\xff") is None
    assert read_order_id(b"an order") is None
