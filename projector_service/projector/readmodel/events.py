"""A tolerant reader of events: it takes what the read models need, and ignores fields it does not know.

A status it does not know is counted under its own name. Events that are not about orders are ignored.
"""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple, NoReturn

STATUS = re.compile(r"[a-z][a-z_]{0,39}")
MONEY = re.compile(r"[0-9]{1,16}\.[0-9]{2}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MAX_ITEM = 200
MAX_QUANTITY = (1 << 31) - 1
MAX_VERSION = (1 << 53) - 1


class UnreadableEvent(ValueError):
    """The message is not one of our events."""


class OrderEvent(NamedTuple):
    """What is read of an event: the order as it was after the change, which happened at `time`."""

    order_id: str
    version: int
    status: str
    time: datetime
    item: str
    quantity: int
    total: Decimal


def read_event(payload: bytes | None) -> OrderEvent | None:
    """Read a message's value; None when it is not about an order. Raises UnreadableEvent with the reason."""
    if payload is None:
        raise UnreadableEvent("no value")
    message = _json_object(payload)
    if message.get("specversion") != "1.0":
        raise UnreadableEvent("not CloudEvents 1.0")
    kind = message.get("type")
    if not isinstance(kind, str):
        raise UnreadableEvent("no type")
    if not kind.startswith("order."):
        return None
    return _order_event(kind, message)


def read_order_id(key: bytes | None) -> str | None:
    """Return the order that a message's key names, or None when it names none."""
    text = (key or b"").decode("ascii", "replace")
    return text if ID.fullmatch(text) else None


def _json_object(payload: bytes) -> dict[str, object]:
    try:
        message = _DECODER.decode(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnreadableEvent("not JSON") from error
    if not isinstance(message, dict):
        raise UnreadableEvent("not an object")
    return message


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


# json.loads() would make one for each message.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _order_event(kind: str, message: dict[str, object]) -> OrderEvent:
    data = message.get("data")
    if not isinstance(data, dict):
        raise UnreadableEvent("no data")
    status = _matching(data, "status", STATUS)
    if kind != f"order.{status}":
        raise UnreadableEvent("type and status differ")
    return OrderEvent(
        order_id=_matching(data, "order_id", ID),
        version=_integer(data, "version", MAX_VERSION),
        status=status,
        time=_time(message),
        item=_item(data),
        quantity=_integer(data, "quantity", MAX_QUANTITY),
        total=Decimal(_matching(data, "total", MONEY)),
    )


def _matching(fields: dict[str, object], name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise UnreadableEvent(f"no {name}")
    return value


def _integer(fields: dict[str, object], name: str, most: int) -> int:
    value = fields.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise UnreadableEvent(f"no {name}")
    return value


def _time(message: dict[str, object]) -> datetime:
    try:
        return datetime.fromisoformat(_matching(message, "time", TIME)).astimezone(UTC)
    except ValueError as error:  # a 30th of February
        raise UnreadableEvent("no time") from error


def _item(data: dict[str, object]) -> str:
    """Return the item. PostgreSQL stores neither NUL nor half of a surrogate pair."""
    item = data.get("item")
    if not isinstance(item, str) or not 1 <= len(item) <= MAX_ITEM or "\0" in item:
        raise UnreadableEvent("no item")
    try:
        item.encode()
    except UnicodeEncodeError as error:
        raise UnreadableEvent("no item") from error
    return item
