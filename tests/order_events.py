"""Events of orders as they stand on the topic, and what they add up to, computed the plain way."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

PATHS = (
    ("placed",),
    ("placed", "cancelled"),
    ("placed", "confirmed"),
    ("placed", "confirmed", "shipped", "delivered"),
)
FIRST = datetime(2026, 11, 22, 14, 5, 6, 123456, tzinfo=UTC)
TEST_EVENT = json.dumps(
    {"specversion": "1.0", "id": "t", "type": "test.event", "subject": "t", "data": {}}
).encode()


@dataclass(frozen=True)
class Told:
    """An event, as plain values."""

    order_id: UUID
    version: int = 1
    status: str = "placed"
    item: str = "Basic Tee"
    quantity: int = 2
    total: Decimal = Decimal("64.00")
    time: datetime = FIRST

    @property
    def key(self) -> bytes:
        return str(self.order_id).encode()

    @property
    def value(self) -> bytes:
        moment = self.time.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        return json.dumps(
            {
                "specversion": "1.0",
                "id": f"{self.order_id}-{self.version}",
                "source": "/orders",
                "type": f"order.{self.status}",
                "subject": str(self.order_id),
                "time": moment,
                "data": {
                    "order_id": str(self.order_id),
                    "version": self.version,
                    "status": self.status,
                    "customer_name": "Ada",
                    "item": self.item,
                    "quantity": self.quantity,
                    "total": f"{self.total:.2f}",
                },
            }
        ).encode()


def orders(count: int, seed: int = 0) -> Iterator[list[Told]]:
    """Make up orders, each with all its events in order."""
    rand = random.Random(seed)
    for _ in range(count):
        first = Told(
            UUID(int=rand.getrandbits(128)),
            item=f"Item {rand.randrange(5)}",
            quantity=rand.randrange(1, 5),
            total=Decimal(rand.randrange(1, 100_000)) / 100,
            time=FIRST + timedelta(seconds=rand.randrange(600)),
        )
        yield [
            replace(first, version=version, status=status, time=first.time + timedelta(seconds=20 * version))
            for version, status in enumerate(rand.choice(PATHS), 1)
        ]


@dataclass(frozen=True)
class Sums:
    """What events add up to: orders and their money by present status, events and money by minute and status, and
    orders, pieces and money by item."""

    events: int
    totals: dict[str, tuple[int, Decimal]]
    minutes: dict[tuple[datetime, str], tuple[int, Decimal]]
    items: dict[str, tuple[int, int, Decimal]]


def sums(told: Iterable[Told]) -> Sums:
    """Add up events, each version of an order once."""
    events = {(each.order_id, each.version): each for each in told}.values()
    present: dict[UUID, Told] = {}
    for each in sorted(events, key=lambda each: each.version):
        present[each.order_id] = each
    statuses = {each.status for each in present.values()}
    items = {each.item for each in present.values() if each.status != "cancelled"}
    minutes = Counter((each.time.replace(second=0, microsecond=0), each.status) for each in events)
    return Sums(
        events=len(events),
        totals={
            status: _number_and_money(each for each in present.values() if each.status == status)
            for status in statuses
        },
        minutes={
            key: _number_and_money(
                each for each in events if (each.time.replace(second=0, microsecond=0), each.status) == key
            )
            for key in minutes
        },
        items={
            item: _item([e for e in present.values() if e.item == item and e.status != "cancelled"])
            for item in items
        },
    )


def _number_and_money(found: Iterable[Told]) -> tuple[int, Decimal]:
    of = list(found)
    return len(of), sum((each.total for each in of), Decimal(0))


def _item(of: list[Told]) -> tuple[int, int, Decimal]:
    return len(of), sum(each.quantity for each in of), sum((each.total for each in of), Decimal(0))
