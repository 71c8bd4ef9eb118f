"""The message with the figures, of a bounded size whatever the orders say (contracts/order-stats.schema.json)."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from projector.readmodel.changes import CANCELLED, PLACED
from projector.store.queries import Figures, Item, Minute

MINUTES = 60
ITEMS = 10
# Whoever may write to the topic may invent statuses; of more than so many, those that are rarest are added up. Never an
# order's own: when none is at one of them now, minutes and charts still have it.
STATUSES = 12
OWN = frozenset({PLACED, "confirmed", "shipped", "delivered", CANCELLED})
OTHERS = "others"


def encode(figures: Figures) -> bytes:
    """Return the message's value."""
    stats = figures.stats
    kept = _kept(figures)
    body = {
        "time": _moment(figures.time),
        "orders": sum(stats.by_status.values()),
        "events": stats.events,
        "by_status": _bounded(stats.by_status, kept),
        "revenue": _money(stats.revenue),
        "as_of": {str(partition): offset for partition, offset in stats.next_offsets.items()},
        "minutes": [_minute(each, kept) for each in figures.minutes],
        "items": [_item(each) for each in figures.items],
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _kept(figures: Figures) -> list[str]:
    """Return the statuses that have numbers of their own: an order's first, then those of most orders and events."""
    numbers: Counter[str] = Counter()
    for each in (figures.stats.by_status, *(minute.events for minute in figures.minutes)):
        numbers.update(each)
    return sorted(numbers, key=lambda status: (status not in OWN, -numbers[status], status))[:STATUSES]


def _minute(found: Minute, kept: list[str]) -> dict[str, object]:
    return {
        "minute": _moment(found.minute),
        "events": sum(found.events.values()),
        "by_status": _bounded(found.events, kept),
        "revenue": _money(found.revenue),
    }


def _item(found: Item) -> dict[str, object]:
    return {
        "item": found.item,
        "orders": found.orders,
        "quantity": found.quantity,
        "revenue": _money(found.amount),
    }


def _bounded(numbers: Mapping[str, int], kept: list[str]) -> dict[str, int]:
    """Return the numbers of the statuses that are kept, and the sum of all others."""
    found = {status: number for status, number in numbers.items() if status in kept}
    if others := sum(number for status, number in numbers.items() if status not in kept):
        found[OTHERS] = found.get(OTHERS, 0) + others
    return found


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
