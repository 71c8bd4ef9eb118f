"""What events change in the read models, as differences to be added.

Each version of an order counts once, and an order's present state is that of its highest version. So the result
depends neither on the order of the events nor on where batches begin and end.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from projector.readmodel.batch import Message
from projector.readmodel.events import OrderEvent

PLACED = "placed"
CANCELLED = "cancelled"
"""The one status whose orders bring no revenue."""


class OrderState(NamedTuple):
    """What is known of an order: its highest version."""

    version: int
    status: str
    item: str
    quantity: int
    total: Decimal


@dataclass(slots=True)
class Counter:
    """Numbers to be added to a row. number: of orders or events. quantity: of pieces. amount: of money."""

    number: int = 0
    quantity: int = 0
    amount: Decimal = Decimal(0)

    def add(self, sign: int, quantity: int, amount: Decimal) -> None:
        self.number += sign
        self.quantity += sign * quantity
        self.amount += sign * amount


@dataclass(frozen=True)
class Changes:
    """Rows of the read models to be written: `orders` as they are now, all others by what is to be added.

    By (partition, status), (partition, minute, status) and (partition, item).
    """

    orders: dict[str, OrderState] = field(default_factory=dict)
    totals: dict[tuple[int, str], Counter] = field(default_factory=lambda: defaultdict(Counter))
    minutes: dict[tuple[int, datetime, str], Counter] = field(default_factory=lambda: defaultdict(Counter))
    items: dict[tuple[int, str], Counter] = field(default_factory=lambda: defaultdict(Counter))


def changes(new: Iterable[Message], before: Mapping[str, OrderState]) -> Changes:
    """Return what messages change. new: events of versions that have never counted. before: their orders' states."""
    found = Changes()
    for message in new:
        event = message.event
        assert event is not None  # sort() lets only events through
        minute = (message.partition, event.time.replace(second=0, microsecond=0), event.status)
        found.minutes[minute].add(1, event.quantity, event.total)
        known = found.orders.get(event.order_id) or before.get(event.order_id)
        if known is None or known.version < event.version:
            state = _state(event)
            found.orders[event.order_id] = state
            _move(found, message.partition, known, state)
    return found


def latest(new: Iterable[Message]) -> dict[str, OrderState]:
    """Return the highest of these versions of each order."""
    found: dict[str, OrderState] = {}
    for message in new:
        event = message.event
        assert event is not None  # sort() lets only events through
        known = found.get(event.order_id)
        if known is None or known.version < event.version:
            found[event.order_id] = _state(event)
    return found


def raised(states: Mapping[str, OrderState], before: Mapping[str, OrderState]) -> Changes:
    """Return what changes when orders are known to be in these states, each of a higher version than before.

    No event is counted. Those that led there change only their minutes and timelines if they come at all. Any shard
    will do, as only sums over all of them mean something.
    """
    found = Changes()
    for order_id, state in states.items():
        found.orders[order_id] = state
        _move(found, 0, before.get(order_id), state)
    return found


def _state(event: OrderEvent) -> OrderState:
    return OrderState(event.version, event.status, event.item, event.quantity, event.total)


def _move(found: Changes, partition: int, old: OrderState | None, new: OrderState) -> None:
    for sign, state in ((-1, old), (1, new)):
        if state is None:
            continue
        found.totals[partition, state.status].add(sign, state.quantity, state.total)
        if state.status != CANCELLED:
            found.items[partition, state.item].add(sign, state.quantity, state.total)
