"""What the API answers, as models: the schemas of the API's document are made from them.

The views write their JSON themselves; a test holds real answers against these. A reader should ignore fields
that are not named here: there may be more some day.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Money = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]{2}$", examples=["64.00"])]
Status = Literal["placed", "confirmed", "shipped", "delivered", "cancelled"]


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Order(_Answer):
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
    created_at: AwareDatetime
    updated_at: AwareDatetime


class OrderPage(_Answer):
    """Orders, newest first."""

    orders: list[Order]
    next: str | None
    """What to send as `after` for the page that follows; null on the last one."""


class PlacedBatch(_Answer):
    """All orders of a batch, as they were given."""

    count: int
    orders: list[Order]


class PlacedRandom(_Answer):
    """How many orders were made up and placed."""

    count: int


class FieldError(_Answer):
    """One thing that is wrong, and where."""

    pointer: Annotated[str, Field(examples=["/unit_price", "/orders/3/item"])]
    """A JSON pointer into the body, or `/name` of a parameter."""
    detail: str


class Problem(_Answer):
    """RFC 9457."""

    type: Literal["about:blank"]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: Annotated[list[FieldError], Field(default_factory=list)]
    """Only where fields are to blame."""


class Live(_Answer):
    """The process answers."""

    status: Literal["ok"]


class Check(_Answer):
    """One thing the shop depends on."""

    status: Literal["ok", "degraded", "unavailable"]
    detail: str | None = None


class Outbox(_Answer):
    """Events that have not been read back from Kafka yet; null when the database does not answer."""

    rows: int | None
    oldest_s: float | None


class Breaker(_Answer):
    """The circuit breaker on the direct publish, of the process that answers."""

    state: Literal["closed", "open", "half-open"]


class Checks(_Answer):
    database: Check
    kafka: Check
    outbox: Outbox
    breaker: Breaker


class Ready(_Answer):
    """degraded: orders are taken, their events wait. unavailable: the database does not answer."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: Checks
