"""What a message of the topic says about an order."""

import json
from typing import NamedTuple
from uuid import UUID

from confluent_kafka import Message

TEST_EVENT = "test.event"
SIGNPOST = "topic.grown"
_LARGEST_VERSION = (1 << 31) - 1


class Sighting(NamedTuple):
    """An event that was seen in the topic.

    order_id: the UUID's bytes, as PostgreSQL sorts them. epoch: which signpost of its partition it comes after: what
    was published by fewer partitions comes before what was published by more.
    """

    order_id: bytes
    version: int
    event_id: UUID
    kind: str
    epoch: int = 0


def half_of(event_id: UUID) -> int:
    """Return 64 bits of an event's id, which tell two apart: the half of a UUID v7 that is not its time."""
    return int.from_bytes(event_id.bytes[8:], signed=True)


class Foreign(Exception):
    """The message is no event of ours, or cannot be read."""


def read_signpost(message: Message) -> int | None:
    """Return the epoch that begins with a message, in all partitions the same; None when it is no signpost."""
    value = message.value() or b""
    if message.error() is not None or b'"topic.grown"' not in value:
        return None
    try:
        event = json.loads(value)
        return UUID(event["id"]).int >> 80 if event["type"] == SIGNPOST else None  # the time in a UUID v7
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def read_sighting(message: Message) -> Sighting | None:
    """Return which event of which order a message is; None for a test event and a signpost. Raises Foreign."""
    try:
        event = json.loads(message.value() or b"")
        if event["type"] in (TEST_EVENT, SIGNPOST):
            return None
        order_id, version = UUID(event["subject"]), event["data"]["version"]
        event_id = UUID(event["id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Foreign from error
    is_ours = str(event["type"]).startswith("order.") and type(version) is int
    if not is_ours or not 1 <= version <= _LARGEST_VERSION:
        raise Foreign
    return Sighting(order_id.bytes, version, event_id, event["type"])
