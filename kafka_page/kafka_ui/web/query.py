"""What the page of messages is asked for in its query."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Request

from kafka_ui.messages.position import Position, UnreadablePosition, parse
from kafka_ui.web.parameters import read_parameter

DEFAULT_LIMIT, MAX_LIMIT = 30, 200
MAX_KEY_BYTES = 1024


class InvalidQuery(ValueError):
    """A parameter of the query is wrong; the text says which and how."""


@dataclass(frozen=True)
class Query:
    """The parameters. key: "" for none; time_ms: Unix time in milliseconds; event: the id of an event to point out."""

    partition: int | None
    offset: int | None
    time_ms: int | None
    key: str
    event: str
    before: Position
    after: Position
    limit: int


def read_query(request: Request) -> Query:
    """Return the parameters of the request. Raises InvalidQuery."""
    key = read_parameter(request, "key") or ""
    if len(key.encode(errors="replace")) > MAX_KEY_BYTES or "\ufffd" in key:
        raise InvalidQuery(f"A key is looked for by its text, of at most {MAX_KEY_BYTES} bytes.")
    query = Query(
        partition=_number(request, "partition"),
        offset=_number(request, "offset"),
        time_ms=_time_ms(read_parameter(request, "time") or ""),
        key=key,
        event=(read_parameter(request, "event") or "")[:200],
        before=_position(request, "before"),
        after=_position(request, "after"),
        limit=_number(request, "limit") or DEFAULT_LIMIT,
    )
    if query.limit > MAX_LIMIT:
        raise InvalidQuery(f"The limit is {MAX_LIMIT} messages.")
    if query.offset is not None and query.partition is None:
        raise InvalidQuery("An offset is of one partition: choose which.")
    return query


def _number(request: Request, name: str) -> int | None:
    text = (read_parameter(request, name) or "").strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise InvalidQuery(f"The {name} is a number from 0 on.")
    return int(text)


def _position(request: Request, name: str) -> Position:
    try:
        return parse(text) if (text := read_parameter(request, name) or "") else {}
    except UnreadablePosition as error:
        raise InvalidQuery(f"{name}: {error}") from error


def _time_ms(text: str) -> int | None:
    """Return a time as Unix milliseconds. Without an offset it is UTC."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidQuery("A time is written as 2026-11-26 14:05, in UTC, or with its offset.") from error
