"""The statuses of an order and the transitions between them: the one place that says so.

The API, the OpenAPI document and the checkout page are made from this table; tests compare the database's
CHECK constraint and `contracts/order-event.schema.json` with it.
"""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """How far an order has come."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


# The page offers the transitions in this order.
TRANSITIONS: Mapping[Status, tuple[Status, ...]] = {
    Status.PLACED: (Status.CONFIRMED, Status.CANCELLED),
    Status.CONFIRMED: (Status.SHIPPED, Status.CANCELLED),
    Status.SHIPPED: (Status.DELIVERED,),
    Status.DELIVERED: (),
    Status.CANCELLED: (),
}

# What a client may ask for: every status that some transition leads to.
TARGETS = tuple(status for status in Status if any(status in targets for targets in TRANSITIONS.values()))


class InvalidTransition(Exception):
    """An order cannot go from its current status to the requested one."""

    def __init__(self, current: Status, requested: Status):
        super().__init__(f"An order that is {current} cannot become {requested}.")
