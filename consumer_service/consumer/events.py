"""What is read of an event, and no more: the rest goes to the browser as it came.

Unknown fields and unknown `order.*` types pass. A message that cannot be read is for the caller to skip,
count and log. A payload over several lines passes too, one `data:` line each, which EventSource joins with
LF again; a CR cannot be carried by SSE, so it makes a message unreadable."""

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import NoReturn


class UnreadableEvent(ValueError):
    """The message is no event of ours."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    id: str
    type: str
    subject: str
    version: int


def read_event(payload: bytes | None, longest: int) -> OrderEvent:
    if payload is None:
        raise UnreadableEvent("no value")
    if len(payload) > longest:
        raise UnreadableEvent(f"{len(payload)} bytes")
    if b"\r" in payload:
        raise UnreadableEvent("carriage return")
    return _envelope(_strict_json(payload))


def _strict_json(payload: bytes) -> dict[str, object]:
    """As a browser's JSON.parse would have it: UTF-8 and no NaN."""
    try:
        message = json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise UnreadableEvent("not JSON") from exc
    if not isinstance(message, dict):
        raise UnreadableEvent("not an object")
    return message


def _no_constant(name: str) -> NoReturn:
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
    return OrderEvent(_text(message, "id"), kind, _text(message, "subject"), _version(kind, data))


def _text(message: dict[str, object], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise UnreadableEvent(f"no {name}")
    return value


def _version(kind: str, data: dict[str, object]) -> int:
    """A test event has no version: it is the first and only event of its own subject."""
    version = 1 if kind == "test.event" else data.get("version")
    if type(version) is not int or not 1 <= version < 1 << 53:
        raise UnreadableEvent("no version")
    return version


class Repeats:
    """The highest version seen of each order, for the orders touched lately."""

    def __init__(self, orders: int) -> None:
        self._orders = orders
        self._seen: OrderedDict[str, int] = OrderedDict()

    def is_repeat(self, event: OrderEvent) -> bool:
        repeat = event.version <= self._seen.get(event.subject, 0)
        if not repeat:
            self._seen[event.subject] = event.version
        self._seen.move_to_end(event.subject)
        if len(self._seen) > self._orders:
            self._seen.popitem(last=False)
        return repeat

    def forget(self) -> None:
        self._seen.clear()
