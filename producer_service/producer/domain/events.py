"""What happened to an order, as the bytes that every reader of the topic gets (see contracts/).

An event's id is made from its content and the id of the order's event before it. So the same order makes the same
bytes again, and its last event's id proves that all of them are the same (ADR 11).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from pydantic_core import to_json

CONTENT_TYPE = "application/cloudevents+json"
DATA_SCHEMA = "urn:order-stream:order-event:1"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_EVENT = UUID(int=0)


class OrderState(Protocol):
    """The fields of an order that its event carries. event_id: the id of its event before this one, None at first."""

    @property
    def id(self) -> UUID: ...
    @property
    def version(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def customer_name(self) -> str: ...
    @property
    def item(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def unit_price(self) -> Decimal: ...
    @property
    def quantity(self) -> int: ...
    @property
    def total(self) -> Decimal: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def event_id(self) -> UUID | None: ...


@dataclass(frozen=True, slots=True)
class Event:
    """An event and its Kafka key: with the order's id as key, all events of one order are in one partition.

    direct: no earlier event of the order was in the outbox, so the web process may publish it itself.
    partition: where the layout that the statement which stored it read has it; None: where Kafka's client has it.
    """

    id: UUID
    type: str
    order_id: UUID
    version: int
    payload: str
    direct: bool = True
    partition: int | None = None


@lru_cache(64)  # the orders of a placement have the same time, in five places each
def utc(moment: datetime) -> str:
    """Format a time as RFC 3339 in UTC with microseconds: `2026-11-22T14:05:06.123456Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def order_event(order: OrderState) -> Event:
    """Make the event that describes the order as it is now, named after the status it has just reached."""
    kind = f"order.{order.status}"
    content = {
        "source": "/orders",
        "type": kind,
        "subject": str(order.id),
        "time": utc(order.updated_at),
        "datacontenttype": "application/json",
        "dataschema": DATA_SCHEMA,
        "data": _data(order),
    }
    text = to_json(content).decode()
    event_id = _event_id(order.updated_at, order.event_id or _NO_EVENT, text)
    payload = f'{{"specversion":"1.0","id":"{event_id}",{text[1:]}'
    return Event(event_id, kind, order.id, order.version, payload)


def _event_id(moment: datetime, previous: UUID, content: str) -> UUID:
    """Return a UUID v7: its time is `moment`, and its other 74 bits are a hash where they usually are random."""
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    hashed = int.from_bytes(hashlib.sha256(previous.bytes + content.encode()).digest()[:10])
    bits = (milliseconds << 80 | hashed) & ~(0xF << 76 | 3 << 62)
    return UUID(int=bits | 7 << 76 | 2 << 62)


def _data(order: OrderState) -> dict[str, str | int]:
    return {
        "order_id": str(order.id),
        "version": order.version,
        "status": order.status,
        "customer_name": order.customer_name,
        "item": order.item,
        "description": order.description,
        "unit_price": f"{order.unit_price:.2f}",
        "quantity": order.quantity,
        "total": f"{order.total:.2f}",
        "placed_at": utc(order.created_at),
    }
