"""Orders, outbox and topic side by side: the rules, without PostgreSQL and Kafka."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from producer.ledger.books import CommittedOrder
from producer.ledger.retention import Retention
from producer.ledger.sightings import Missing, Seen

NAMED = 20


class EventName(NamedTuple):
    """An event of an order."""

    order_id: bytes
    version: int


@dataclass
class Named:
    """How many events there are, and the names of the first few."""

    count: int = 0
    first: list[EventName] = field(default_factory=list)

    def add(self, order_id: bytes, version: int) -> None:
        """Count an event."""
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(EventName(order_id, version))


@dataclass
class Findings:
    """What the ledger counts. removed: neither in Kafka nor missing, as retention may have removed them."""

    committed: int = 0
    in_kafka: int = 0
    repeats: int = 0
    removed: int = 0
    out_of_order: Named = field(default_factory=Named)
    missing: Named = field(default_factory=Named)
    never_committed: Named = field(default_factory=Named)

    def reconcile(
        self,
        orders: Iterable[CommittedOrder],
        seen: Iterable[tuple[bytes, list[Seen]]],
        retention: Retention,
    ) -> Iterator[Missing]:
        """Iterate over the events that are missing unless they are seen later; count everything else.

        Both come sorted by order. The topic must have been read before the orders: what had been published by then
        had been committed.
        """
        in_topic = chain(seen, [None])
        next_seen = next(in_topic)
        for order in orders:
            while next_seen is not None and next_seen[0] < order.id:
                self._count(*next_seen, None)
                next_seen = next(in_topic)
            versions: set[int] = set()
            if next_seen is not None and next_seen[0] == order.id:
                versions = self._count(*next_seen, order)
                next_seen = next(in_topic)
            yield from self._missing(order, versions, retention)
        while next_seen is not None:
            self._count(*next_seen, None)
            next_seen = next(in_topic)

    def settle(self, suspects: Iterable[tuple[Missing, bool]], retention: Retention) -> Iterator[Missing]:
        """Iterate over what is missing, now that the topic has been read to ends asked after the orders were."""
        for missing, was_seen in suspects:
            if was_seen:
                self.in_kafka += 1
            elif retention.may_have_removed(missing.order_id, missing.since_ms):
                self.removed += 1
            else:
                self.missing.add(missing.order_id, missing.version)
                yield missing

    def _count(self, order_id: bytes, occurrences: list[Seen], order: CommittedOrder | None) -> set[int]:
        """Count what was seen of an order, as it is committed; return the versions.

        A version is committed once. So a second id for one is of an event that was not, or no longer is; and so is any
        other id of the last version than the one that is kept with the order.
        """
        committed = order.version if order else 0
        ids: dict[int, set[int]] = {}
        others: set[Seen] = set()
        highest = 0
        for version, event in occurrences:
            if order and not order.is_own(version, event):
                if (version, event) in others:
                    self.repeats += 1
                else:
                    self.never_committed.add(order_id, version)
                    others.add(Seen(version, event))
                continue
            known = ids.setdefault(version, set())
            if event in known:
                self.repeats += 1
                continue
            if version > committed or known:
                self.never_committed.add(order_id, version)
            if not known:
                self.in_kafka += 1
                if version < highest:
                    self.out_of_order.add(order_id, version)
            known.add(event)
            highest = max(highest, version)
        return set(ids)

    def _missing(self, order: CommittedOrder, versions: set[int], retention: Retention) -> Iterator[Missing]:
        self.committed += order.version
        if len(versions) >= order.version and versions >= set(range(1, order.version + 1)):
            return
        for version in range(1, order.version + 1):
            if version in versions or version in order.accounted:
                continue
            committed_ms = order.committed_ms(version)
            if retention.may_have_removed(order.id, committed_ms):
                self.removed += 1
            else:
                yield Missing(order.id, version, committed_ms, order.id_of(version))
