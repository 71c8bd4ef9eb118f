"""Apply a batch: the read models and the positions change in one transaction, or neither does."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from projector.readmodel.batch import Batch, Message, Slice
from projector.readmodel.changes import changes, latest
from projector.readmodel.parking import NOTHING_DECIDED, Decided, Sorted, sort
from projector.store import dead_letters, positions, tables
from projector.store.database import transaction
from projector.store.positions import Tally


@dataclass
class Applied:
    """What became of a batch. next_offsets: of the partitions that moved on.

    fenced: partitions of which nothing was applied, because somebody else has gone on from there.
    """

    next_offsets: dict[int, int] = field(default_factory=dict)
    fenced: set[int] = field(default_factory=set)
    parked: int = 0

    def add(self, other: "Applied") -> None:
        """Add what became of the rest of a batch."""
        self.next_offsets |= other.next_offsets
        self.fenced |= other.fenced
        self.parked += other.parked


def apply(engine: sa.Engine, batch: Batch, decided: Decided = NOTHING_DECIDED) -> Applied:
    """Apply a batch, except the slices that do not begin at the stored position. Raises DatabaseUnavailable, Refused.

    The fence: whoever was paused, killed or declared dead meanwhile finds another position than it began at. decided:
    what is on record about its messages elsewhere.
    """
    with transaction(engine) as connection:
        stored = positions.lock(connection, batch.slices)
        due = {
            p
            for p, each in batch.slices.items()
            if p in stored and (stored[p].topic_id, stored[p].next_offset) == (batch.topic_id, each.begin)
        }
        applied = Applied(fenced=set(batch.slices) - due)
        slices = {p: batch.slices[p] for p in sorted(due)}
        messages = [message for each in slices.values() for message in each.messages]
        parked = dead_letters.parked_orders(connection, {m.order_id for m in messages if m.order_id})
        found = {p: sort(each.messages, parked, decided) for p, each in slices.items()}
        letters = [letter for each in found.values() for letter in each.letters]
        dead_letters.park(connection, batch.topic_id, letters)
        new = count(connection, (message for each in found.values() for message in each.events))
        positions.add(connection, _tallies(slices, found, new))
        applied.next_offsets = {p: each.end for p, each in slices.items()}
        applied.parked = len(letters)
        return applied


def count(connection: sa.Connection, events: Iterable[Message]) -> list[Message]:
    """Count events in the read models, each version of an order once; return those that were new."""
    new = tables.insert_versions(connection, events)
    if new:
        known = tables.lock_orders(connection, latest(new))
        tables.write(connection, changes(new, known), known)
    return new


def _tallies(
    slices: Mapping[int, Slice], found: Mapping[int, Sorted], new: Iterable[Message]
) -> dict[int, Tally]:
    events = Counter(message.partition for message in new)
    return {
        p: Tally(each.end, events[p], len(found[p].events) - events[p], found[p].ignored)
        for p, each in slices.items()
    }
