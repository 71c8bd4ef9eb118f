"""What happened to an order, as the bytes that every reader of the topic gets (see contracts/)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from pydantic_core import to_json
from uuid_utils.compat import uuid7

CONTENT_TYPE = "application/cloudevents+json"
DATA_SCHEMA = "urn:order-stream:order-event:1"


class OrderState(Protocol):
    """The fields of an order that its event carries."""

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


@dataclass(frozen=True, slots=True)
class Event:
    """An event and its Kafka key: with the order's id as key, all events of one order are in one partition.

    direct: no earlier event of the order was in the outbox, so the web process may publish it itself.
    """

    id: UUID
    type: str
    order_id: UUID
    version: int
    payload: str
    direct: bool = True


@lru_cache(64)  # the orders of a placement have the same time, in five places each
def utc(moment: datetime) -> str:
    """Format a time as RFC 3339 in UTC with microseconds: `2026-11-22T14:05:06.123456Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def order_event(order: OrderState) -> Event:
    """Make the event that describes the order as it is now, named after the status it has just reached."""
    event_id, kind = uuid7(), f"order.{order.status}"
    envelope = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": "/orders",
        "type": kind,
        "subject": str(order.id),
        "time": utc(order.updated_at),
        "datacontenttype": "application/json",
        "dataschema": DATA_SCHEMA,
        "data": _data(order),
    }
    return Event(event_id, kind, order.id, order.version, to_json(envelope).decode())


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
