"""A tolerant reader of the figures that the projector publishes (contracts/order-stats.schema.json).

It checks what the page relies on; the bytes go to the browser unchanged, and unknown fields with them."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from consumer.ring.stats import Stats

MAX_BYTES = 128 << 10
MAX_STATUSES = 20

TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


def _time(value: object) -> datetime:
    """Return a time that says that it is UTC. Pydantic takes numbers, which browsers do not, and any offset: at the
    ends of the calendar there is no such time in UTC."""
    if not isinstance(value, str) or not TIME.fullmatch(value):
        raise ValueError("no time in UTC")
    return datetime.fromisoformat(value)


Time = Annotated[datetime, BeforeValidator(_time)]
Count = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Money = Annotated[str, Field(pattern=r"^-?[0-9]{1,22}\.[0-9]{2}$")]
ByStatus = Annotated[dict[Annotated[str, Field(max_length=40)], Count], Field(max_length=MAX_STATUSES)]


class UnreadableStats(ValueError):
    """The message is none with figures."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Minute(_Part):
    """The events of one minute."""

    minute: Time
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

    time: Time
    orders: Count
    events: Count
    by_status: ByStatus
    revenue: Money
    minutes: Annotated[list[Minute], Field(max_length=60)]
    items: Annotated[list[Item], Field(max_length=10)]


def read_figures(payload: bytes) -> Figures:
    """Read a message's value. Raises UnreadableStats with the reason."""
    try:
        from_json(
            payload, allow_inf_nan=False
        )  # pydantic takes NaN in a field that it ignores, and no browser does
        return Figures.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(map(str, first["loc"])) or "message"
        raise UnreadableStats(f"{place}: {first['msg']}") from error
    except ValueError as error:
        raise UnreadableStats(f"not JSON: {error}") from error


def read_stats(payload: bytes | None) -> Stats:
    """Read a message's value as what is kept of it. Raises UnreadableStats with the reason."""
    if payload is None:
        raise UnreadableStats("no value")
    if len(payload) > MAX_BYTES:
        raise UnreadableStats(f"{len(payload)} bytes")
    if b"\r" in payload:  # SSE cannot carry it
        raise UnreadableStats("carriage return")
    return Stats(read_figures(payload).time, payload)
