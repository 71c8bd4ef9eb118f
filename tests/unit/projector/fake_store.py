"""The read models in memory: what PostgreSQL does in one transaction, done at once."""

from collections import Counter as Tally
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from projector.readmodel.batch import Batch, Message
from projector.readmodel.changes import Changes, Counter, OrderState, changes
from projector.readmodel.parking import NOTHING_DECIDED, Decided, Letter, sort
from projector.readmodel.placement import Log, Position, place
from projector.store.apply import Applied
from projector.store.database import DatabaseUnavailable, Refused
from tests.order_events import Sums

K = TypeVar("K")


class FakeStore:
    """Stands in for PostgresStore.

    failures: how many of the next calls find the database away, each after it has done its work when `acknowledged` is
    False: then the answer to the COMMIT was lost. refused_item: what the database refuses. decided: what is on record
    about the messages of a batch.
    """

    def __init__(self, decided: Callable[[Batch], Decided] = lambda batch: NOTHING_DECIDED) -> None:
        self._decided = decided
        self.positions: dict[int, Position] = {}
        self.versions: dict[tuple[str, int], Message] = {}
        self.orders: dict[str, OrderState] = {}
        self.totals: dict[tuple[int, str], Counter] = {}
        self.minutes: dict[tuple[int, datetime, str], Counter] = {}
        self.items: dict[tuple[int, str], Counter] = {}
        self.letters: list[Letter] = []
        self.failures = 0
        self.acknowledged = True
        self.refused_item: str | None = None

    def find_places(
        self, topic_id: str, logs: Mapping[int, Log]
    ) -> dict[int, tuple[Position | None, Position]]:
        self._fail()
        found = {
            p: (self.positions.get(p), place(self.positions.get(p), topic_id, log)) for p, log in logs.items()
        }
        self.positions |= {p: now for p, (_, now) in found.items()}
        return found

    def apply(self, batch: Batch) -> Applied:
        if self.acknowledged:
            self._fail()
        applied = self._apply(batch)
        if not self.acknowledged:
            self._fail()
        return applied

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable("the database is away")

    def _apply(self, batch: Batch) -> Applied:
        due = {p: each for p, each in batch.slices.items() if self._fits(batch.topic_id, p, each.begin)}
        messages = [message for p in sorted(due) for message in due[p].messages]
        found = sort(
            messages,
            {letter.message.order_id for letter in self.letters if letter.message.order_id},
            self._decided(batch),
        )
        if any(message.event and message.event.item == self.refused_item for message in found.events):
            raise Refused("the item is refused")
        new: dict[tuple[str, int], Message] = {}
        for message in found.events:
            assert message.event is not None
            key = (message.event.order_id, message.event.version)
            if key not in self.versions:
                new.setdefault(key, message)
        self.versions |= new
        self.add(changes(new.values(), self.orders))
        self.letters += found.letters
        for p, each in due.items():
            old = self.positions[p]
            self.positions[p] = Position(old.topic_id, each.end, old.skipped, old.recreated)
        next_offsets = {p: each.end for p, each in due.items()}
        return Applied(next_offsets, set(batch.slices) - set(due), len(found.letters))

    def _fits(self, topic_id: str, partition: int, begin: int) -> bool:
        stored = self.positions.get(partition)
        return stored is not None and (stored.topic_id, stored.next_offset) == (topic_id, begin)

    def add(self, found: Changes) -> None:
        """Write changes."""
        self.orders |= found.orders
        _add(self.totals, found.totals)
        _add(self.minutes, found.minutes)
        _add(self.items, found.items)

    def become(self, other: "FakeStore") -> None:
        """Hold what another one holds, as after a swap."""
        self.positions, self.versions, self.orders = other.positions, other.versions, other.orders
        self.totals, self.minutes, self.items = other.totals, other.minutes, other.items
        self.letters = other.letters

    def sums(self) -> Sums:
        """Return what the read models add up to, over all shards."""
        totals: Tally[str] = Tally()
        items: Tally[str] = Tally()
        pieces: Tally[str] = Tally()
        money: dict[object, Decimal] = {}
        minutes: Tally[tuple[datetime, str]] = Tally()

        def add_money(key: object, amount: Decimal) -> None:
            money[key] = money.get(key, Decimal(0)) + amount

        for (_, status), count in self.totals.items():
            totals[status] += count.number
            add_money(status, count.amount)
        for (_, minute, status), count in self.minutes.items():
            minutes[minute, status] += count.number
            add_money((minute, status), count.amount)
        for (_, item), count in self.items.items():
            items[item] += count.number
            pieces[item] += count.quantity
            add_money(("item", item), count.amount)
        return Sums(
            len(self.versions),
            {status: (number, money[status]) for status, number in totals.items() if number},
            {key: (number, money[key]) for key, number in minutes.items()},
            {item: (n, pieces[item], money["item", item]) for item, n in items.items() if n},
        )


def _add(known: dict[K, Counter], found: Mapping[K, Counter]) -> None:
    for key, more in found.items():
        known.setdefault(key, Counter()).number += more.number
        known[key].quantity += more.quantity
        known[key].amount += more.amount
