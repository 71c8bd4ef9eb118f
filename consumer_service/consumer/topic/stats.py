"""A tolerant reader of the figures that the projector publishes (contracts/order-stats.schema.json).

It checks what the page relies on; the bytes go to the browser unchanged, and unknown fields with them."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from consumer.ring.stats import Stats

MAX_BYTES = 128 << 10
MAX_STATUSES = 20

Count = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Money = Annotated[str, Field(pattern=r"^-?[0-9]{1,22}\.[0-9]{2}$")]
ByStatus = Annotated[dict[Annotated[str, Field(max_length=40)], Count], Field(max_length=MAX_STATUSES)]


class UnreadableStats(ValueError):
    """The message is none with figures."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Minute(_Part):
    """The events of one minute."""

    minute: AwareDatetime
    events: Count
    by_status: ByStatus
    revenue: Money

    @property
    def orders(self) -> int:
        """How many orders were placed in it."""
        return self.by_status.get("placed", 0)


class Item(_Part):
    """What was ordered under one name."""

    item: Annotated[str, Field(max_length=200)]
    orders: Count
    quantity: Count
    revenue: Money


class Figures(_Part):
    """What the orders add up to, at one moment."""

    time: AwareDatetime
    orders: Count
    events: Count
    by_status: ByStatus
    revenue: Money
    minutes: Annotated[list[Minute], Field(max_length=60)]
    items: Annotated[list[Item], Field(max_length=10)]


def read_figures(payload: bytes) -> Figures:
    """Read a message's value. Raises UnreadableStats with the reason."""
    try:
        return Figures.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(map(str, first["loc"])) or "message"
        raise UnreadableStats(f"{place}: {first['msg']}") from error


def read_stats(payload: bytes | None) -> Stats:
    """Read a message's value as what is kept of it. Raises UnreadableStats with the reason."""
    if payload is None:
        raise UnreadableStats("no value")
    if len(payload) > MAX_BYTES:
        raise UnreadableStats(f"{len(payload)} bytes")
    if b"\r" in payload:  # SSE cannot carry it
        raise UnreadableStats("carriage return")
    return Stats(read_figures(payload).time, payload)
