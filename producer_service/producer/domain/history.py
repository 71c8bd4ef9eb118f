"""All events of an order, made again from the order: the same bytes with the same ids, or none."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from producer.domain.events import Event, order_event
from producer.domain.models import Order
from producer.domain.status import TRANSITIONS, Status


class NotReproducible(Exception):
    """The events of an order cannot be made again with the same bytes."""


def past_events(order: Order) -> list[Event]:
    """Return the events of versions 1 to the order's own, byte for byte as they were stored. Raises NotReproducible.

    Each id is made from the event's content and from the id before it. So if the last one is the one that is kept
    with the order, all are what they were.
    """
    moments = [order.created_at, *order.changed_at]
    if order.event_id is None or len(moments) != order.version:
        raise NotReproducible("it was placed or changed before what its events are made from was kept")
    for statuses in _ways(Status.PLACED, Status(order.status), order.version):
        events = _events(order, statuses, moments)
        if events[-1].id == order.event_id:
            return events
    raise NotReproducible(
        "this version of the producer makes other bytes of it, or its row was changed by hand"
    )


def _ways(start: Status, end: Status, length: int) -> Iterator[list[Status]]:
    """Iterate over the sequences of so many statuses from start to end."""
    if length == 1 and start is end:
        yield [start]
    elif length > 1:
        for target in TRANSITIONS[start]:
            yield from ([start, *rest] for rest in _ways(target, end, length - 1))


def _events(order: Order, statuses: list[Status], moments: list[datetime]) -> list[Event]:
    past = Order(**_columns(order) | {"event_id": None})  # belongs to no session
    events = []
    for number, (status, moment) in enumerate(zip(statuses, moments, strict=True), start=1):
        past.status, past.version, past.updated_at = status.value, number, moment
        events.append(order_event(past))
        past.event_id = events[-1].id
    return events


def _columns(order: Order) -> dict[str, Any]:
    return {column.key: getattr(order, column.key) for column in sa.inspect(Order).column_attrs}
