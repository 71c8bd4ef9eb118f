"""What a message of the topic says about an order."""

import json
from typing import NamedTuple
from uuid import UUID

from confluent_kafka import Message

TEST_EVENT = "test.event"
_LARGEST_VERSION = (1 << 31) - 1


class Sighting(NamedTuple):
    """An event that was seen in the topic.

    order_id: the UUID's bytes, as PostgreSQL sorts them.
    """

    order_id: bytes
    version: int
    event_id: UUID
    kind: str


def half_of(event_id: UUID) -> int:
    """Return 64 bits of an event's id, which tell two apart: the half of a UUID v7 that is not its time."""
    return int.from_bytes(event_id.bytes[8:], signed=True)


class Foreign(Exception):
    """The message is no event of ours, or cannot be read."""


def read_sighting(message: Message) -> Sighting | None:
    """Return which event of which order a message is; None for a test event. Raises Foreign."""
    try:
        event = json.loads(message.value() or b"")
        if event["type"] == TEST_EVENT:
            return None
        order_id, version = UUID(event["subject"]), event["data"]["version"]
        event_id = UUID(event["id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Foreign from error
    is_ours = str(event["type"]).startswith("order.") and type(version) is int
    if not is_ours or not 1 <= version <= _LARGEST_VERSION:
        raise Foreign
    return Sighting(order_id.bytes, version, event_id, event["type"])
