"""A tolerant reader of events: it checks what the consumer needs, and the rest goes to the browser unchanged.

Unknown fields and unknown `order.*` types pass. A message that cannot be read is for the caller to skip, count
and log. A payload of several lines passes too, as one `data:` line each, which EventSource joins with LF again;
SSE cannot carry a CR, so a CR makes a message unreadable."""

import json
from dataclasses import dataclass
from sys import intern
from typing import NoReturn

# What the producer's command writes to every partition when the topic is given more of them.
SIGNPOST = "topic.grown"
SIGNPOST_BYTES = 10_000


class UnreadableEvent(ValueError):
    """The message is not one of our events."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """What is read of an event. subject: the order's id."""

    id: str
    type: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class Signpost:
    """What follows it comes after everything before `ends`, of the partitions that were used so far, one by one.

    The topic was given more partitions: an order's earlier events may be in another one than its later events."""

    ends: tuple[int, ...]


def read_signpost(payload: bytes | None) -> Signpost | None:
    """Return the signpost that a message is, or None. Almost no message is parsed for that."""
    if payload is None or len(payload) > SIGNPOST_BYTES or b'"topic.grown"' not in payload:
        return None
    try:
        message = _strict_json(payload)
    except UnreadableEvent:
        return None
    data = message.get("data")
    ends = data.get("ends") if isinstance(data, dict) else None
    if message.get("type") != SIGNPOST or not isinstance(ends, list):
        return None
    if not all(type(end) is int and 0 <= end < 1 << 63 for end in ends):
        return None
    return Signpost(tuple(ends))


def read_event(payload: bytes | None, max_bytes: int) -> OrderEvent:
    """Read a message's value. Raises UnreadableEvent with the reason."""
    if payload is None:
        raise UnreadableEvent("no value")
    if len(payload) > max_bytes:
        raise UnreadableEvent(f"{len(payload)} bytes")
    if b"\r" in payload:
        raise UnreadableEvent("carriage return")
    return _envelope(_strict_json(payload))


def _strict_json(payload: bytes) -> dict[str, object]:
    """Parse as a browser's JSON.parse would: UTF-8 and no NaN."""
    try:
        message = json.loads(payload.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise UnreadableEvent("not JSON") from exc
    if not isinstance(message, dict):
        raise UnreadableEvent("not an object")
    return message


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _envelope(message: dict[str, object]) -> OrderEvent:
    if message.get("specversion") != "1.0":
        raise UnreadableEvent("not CloudEvents 1.0")
    kind = _text(message, "type")
    if kind != "test.event" and not kind.startswith("order."):
        raise UnreadableEvent("unknown type")
    data = message.get("data")
    if not isinstance(data, dict):
        raise UnreadableEvent("no data")
    return OrderEvent(_text(message, "id"), intern(kind), _text(message, "subject"), _version(kind, data))


def _text(message: dict[str, object], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise UnreadableEvent(f"no {name}")
    return value


def _version(kind: str, data: dict[str, object]) -> int:
    """Return the order's version. A test event has none: it is the first and only event of its own subject."""
    version = 1 if kind == "test.event" else data.get("version")
    if type(version) is not int or not 1 <= version < 1 << 53:
        raise UnreadableEvent("no version")
    return version
