"""An order's events, made again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from producer.domain.draft import OrderDraft
from producer.domain.events import Event
from producer.domain.history import NotReproducible, past_events
from producer.domain.models import Order
from producer.domain.status import Status

PLACED_AT = datetime(2026, 11, 22, 14, 5, 6, 123456, UTC)
DRAFT = OrderDraft(customer_name="Zoë", item="Basic Tee", description="", unit_price="32.00", quantity=2)  # type: ignore[arg-type]
WAYS = [
    [],
    [Status.CONFIRMED],
    [Status.CANCELLED],
    [Status.CONFIRMED, Status.CANCELLED],
    [Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED],
]


def lived(statuses: list[Status]) -> tuple[Order, list[Event]]:
    """Return an order that went through these statuses, and the events that were made on the way."""
    placement = Order.place([DRAFT], timedelta(0))
    order = Order(**placement.orders[0]._asdict(), changed_at=[])
    events = list(placement.events)
    for hours, status in enumerate(statuses, start=1):
        order.status, order.version = status.value, order.version + 1
        order.updated_at = PLACED_AT + timedelta(hours=hours, microseconds=hours)
        order.changed_at = [*order.changed_at, order.updated_at]
        events.append(order._next_event())
    return order, events


@pytest.mark.parametrize("statuses", WAYS, ids=lambda way: "-".join(["placed", *way]))
def test_all_events_are_made_again_with_the_same_bytes_and_ids(statuses: list[Status]) -> None:
    order, events = lived(statuses)
    assert past_events(order) == events


def test_ids_are_uuids_of_version_7_with_the_time_of_the_change() -> None:
    order, events = lived([Status.CONFIRMED])
    assert [event.id.version for event in events] == [7, 7]
    milliseconds = int(order.updated_at.timestamp() * 1000)
    assert events[1].id.int >> 80 == milliseconds
    assert events[1].id.variant == UUID(int=0x8000 << 48).variant


def test_two_orders_of_the_same_moment_have_other_ids() -> None:
    first, second = Order.place([DRAFT, DRAFT], timedelta(0)).events
    assert first.id != second.id


def test_order_whose_event_ids_were_random_is_not_reproducible() -> None:
    order, _ = lived([])
    order.event_id = None
    with pytest.raises(NotReproducible, match="before what its events are made from was kept"):
        past_events(order)


def test_order_that_an_older_producer_changed_is_not_reproducible() -> None:
    order, _ = lived([Status.CONFIRMED])
    order.changed_at = []
    with pytest.raises(NotReproducible, match="before what its events are made from was kept"):
        past_events(order)


def test_order_that_was_changed_by_hand_is_not_reproducible() -> None:
    order, _ = lived([Status.CONFIRMED])
    order.unit_price = Decimal("31.99")
    with pytest.raises(NotReproducible, match="other bytes"):
        past_events(order)
