"""The bodies of all responses, as models: the views send them, and the OpenAPI document is made from them.

Clients should ignore fields that are not named here: more may be added.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from producer.domain.events import utc
from producer.domain.status import Status

Money = Annotated[
    Decimal,
    PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str),
    WithJsonSchema({"examples": ["64.00"], "pattern": r"^[0-9]+\.[0-9]{2}$", "type": "string"}),
]
Moment = Annotated[
    datetime,
    PlainSerializer(utc, return_type=str),
    WithJsonSchema({"format": "date-time", "type": "string"}),
]


ReadyStatus = Literal["ok", "degraded", "unavailable"]


class _Body(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)


def json_response(body: BaseModel, status: int = 200, mimetype: str = "application/json") -> Response:
    """Return a response with this body; fields that were not set are left out."""
    return Response(body.model_dump_json(exclude_unset=True), status, mimetype=mimetype)


class Order(_Body):
    """An order as it is now."""

    id: UUID
    """A UUID v7: orders sort by it in the order they were placed in."""
    customer_name: str
    item: str
    description: str
    unit_price: Money
    quantity: int
    total: Money
    """unit_price times quantity, exact."""
    status: Status
    version: Annotated[int, Field(ge=1)]
    """1 when placed, one more with each change; also the ETag."""
    created_at: Moment
    updated_at: Moment


class OrderPage(_Body):
    """Orders, newest first."""

    orders: list[Order]
    next: str | None
    """The value of `after` for the following page; null on the last one."""


class PlacedBatch(_Body):
    """All orders of a batch, in the order they were given."""

    count: int
    orders: list[Order]


class PlacedRandom(_Body):
    """How many orders were made up and placed."""

    count: int


class FieldError(_Body):
    """One thing that is wrong, and where."""

    pointer: Annotated[str, Field(examples=["/unit_price", "/orders/3/item"])]
    """A JSON pointer into the body, or `/name` of a parameter."""
    detail: str


class Problem(_Body):
    """RFC 9457."""

    type: Literal["about:blank"]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: Annotated[list[FieldError], Field(default_factory=list)]
    """Only where fields are to blame."""


class Live(_Body):
    """The process answers."""

    status: Literal["ok"]


class Check(_Body):
    """One thing the shop depends on."""

    status: ReadyStatus
    detail: str | None = None


class Outbox(_Body):
    """Events that have not been read back from Kafka yet; null when they cannot be counted in time."""

    rows: int | None
    oldest_s: float | None
    """The age of the oldest event that is neither parked nor behind a parked one of its order."""
    parked: int | None
    """Events that Kafka refused for good; above 0 the service is degraded until an operator has decided."""
    detail: str | None = None
    """Set while events are parked: how to look at them."""
    refusal: str | None = None
    """Set while new orders are refused for what waits: why."""


class Breaker(_Body):
    """The circuit breaker on the direct publish, in the process that answers."""

    state: Literal["closed", "open", "half-open"]


class Checks(_Body):
    database: Check
    kafka: Check
    outbox: Outbox
    breaker: Breaker


class Ready(_Body):
    """degraded: orders are taken, their events wait; or new orders are refused, and `refusal` of the outbox says why.
    unavailable: the database does not answer."""

    status: ReadyStatus
    checks: Checks
