"""The bodies of all responses, as models: the views send them, and the OpenAPI document is made from them.

Clients should ignore fields that are not named here: more may be added.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

Money = Annotated[
    Decimal,
    PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str),
    WithJsonSchema({"examples": ["64.00"], "pattern": r"^-?[0-9]+\.[0-9]{2}$", "type": "string"}),
]
Moment = Annotated[
    datetime,
    PlainSerializer(
        lambda moment: moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z", return_type=str
    ),
    WithJsonSchema({"format": "date-time", "type": "string"}),
]
Count = Annotated[int, Field(ge=0)]


class _Body(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)


def json_response(body: BaseModel, status: int = 200, mimetype: str = "application/json") -> Response:
    """Return a response with this body; fields that were not set are left out."""
    return Response(body.model_dump_json(exclude_unset=True), status, mimetype=mimetype)


def cacheable_response(body: BaseModel) -> Response:
    """Return a response with an ETag; 304 without a body when the client has just this one already."""
    response = json_response(body)
    response.add_etag()
    response.headers["Cache-Control"] = "no-cache"  # keep it, and ask whether it still holds
    response.make_conditional(request)
    return response


class Stats(_Body):
    """What the orders add up to, at one moment."""

    orders: Count
    """How many orders are known."""
    events: Count
    """How many events have been counted, each version of an order once."""
    by_status: dict[str, Count]
    """Orders by their present status; a status without orders is left out."""
    revenue: Money
    """The totals of all orders that are not cancelled now."""
    as_of: dict[str, Count]
    """By partition, the offset of the first message that is not in these figures yet; before it, only parked ones."""


class Minute(_Body):
    """The events of one minute, by the time of the change that they tell of."""

    minute: Moment
    events: Count
    by_status: dict[str, Count]
    """How many orders came to a status; a status that none came to is left out."""
    amounts: dict[str, Money]
    """The totals of those orders."""
    revenue: Money
    """What was placed less what was cancelled in this minute; below zero when more was cancelled."""


class Series(_Body):
    """Every minute up to the present one, the oldest first."""

    minutes: list[Minute]


class Item(_Body):
    """What was ordered under one name, cancelled orders left out."""

    item: str
    orders: Count
    quantity: Count
    revenue: Money


class Items(_Body):
    """Those that bring most revenue, the first one most of all."""

    items: list[Item]


class Version(_Body):
    """A version of an order, and where its event stands on the topic."""

    version: Annotated[int, Field(ge=1)]
    status: str
    time: Moment
    partition: Count
    offset: Count


class Timeline(_Body):
    """The versions of an order that have been read, from the first one on; no more than the first thousand."""

    order_id: UUID
    versions: list[Version]


class FieldError(_Body):
    """One parameter that is wrong."""

    pointer: Annotated[str, Field(examples=["/minutes"])]
    detail: str


class Problem(_Body):
    """RFC 9457."""

    type: Literal["about:blank"]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: Annotated[list[FieldError], Field(default_factory=list)]
    """Only where parameters are to blame."""


class Live(_Body):
    """The process answers."""

    status: Literal["ok"]


ReadyStatus = Literal["ok", "degraded", "unavailable"]


class Check(_Body):
    """One thing the projector depends on."""

    status: ReadyStatus
    detail: str | None = None


class Group(_Body):
    """This instance as a member of the consumer group."""

    status: ReadyStatus
    instance: str
    partitions: list[Count]
    """What it reads now."""
    detail: str | None = None
    """Why it stands still."""


class Reading(_Body):
    """How far the whole group has come."""

    status: ReadyStatus
    lag: Count
    """How many offsets are not applied yet, over all partitions."""
    behind_s: float
    """For how long there has been something that is not applied, or nobody knows."""
    repeats: Count
    """Messages that told nothing new."""
    ignored: Count
    """Messages that are not about orders."""
    skipped: Count
    """Offsets that Kafka no longer had when they were to be read: these figures lack their events."""
    recreated: Count
    """How often a partition was found to belong to another topic of the same name, and was read from its beginning."""
    detail: str | None = None


class DeadLetters(_Body):
    """Messages that are parked until an operator decides: `./start_project.sh dlq`."""

    status: ReadyStatus
    parked: Count
    orders: Count
    """How many orders they hold back; above 0 the service is degraded. Garbage of no order holds back none."""
    unpublished: Count
    """Those that are not on the topic for dead letters yet."""
    detail: str | None = None


class Publishing(_Body):
    """The figures on their way to the dashboards, which one instance publishes."""

    status: ReadyStatus
    is_ours: bool
    """Whether this instance does it: the one that reads partition 0."""
    published: Count
    failed: Count
    """How often they could not be published since the start, and were tried again."""
    detail: str | None = None


class Checks(_Body):
    database: Check
    group: Group
    reading: Reading | None = None
    """Left out while the database does not answer, as is the next one."""
    dead_letters: DeadLetters | None = None
    figures: Publishing


class Ready(_Body):
    """degraded: figures are answered, but they are behind, or messages are parked. unavailable: none are."""

    status: ReadyStatus
    checks: Checks
