"""A copy of the read models in PostgreSQL while a rebuild fills it, and the moment when it becomes the live one."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from projector.readmodel.batch import Batch
from projector.readmodel.parking import NOTHING_DECIDED, Decided
from projector.readmodel.placement import Log, Position
from projector.store import copies, dead_letters, positions
from projector.store.apply import Applied, apply
from projector.store.copies import CannotSwap, Turn
from projector.store.database import transaction
from projector.store.queries import Queries, Stats
from projector.store.seeds import seed_page
from projector.store.settling import Settling

FIRST = str(UUID(int=0))
# Writers stand still for so long at most, readers for the second: both wait for the locks, and then go on.
WRITERS_WAIT_S, READERS_WAIT_S = 2.0, 0.3

CatchUp = Callable[[Mapping[int, Position]], bool]
"""Reads on to these positions, within a bound; says whether it got there."""


@dataclass(frozen=True)
class Outcome:
    """The figures of the live read models at the moment of the swap, and those that took their place."""

    before: Stats
    after: Stats


class CopyStore:
    """A copy, as a session writes it."""

    def __init__(
        self, engine: sa.Engine, decided: Callable[[Batch], Decided] = lambda batch: NOTHING_DECIDED
    ) -> None:
        """engine: of the copy. decided: returns what is on record elsewhere about the messages of a batch."""
        self._engine, self._decided = engine, decided

    def find_places(
        self, topic_id: str, logs: Mapping[int, Log]
    ) -> dict[int, tuple[Position | None, Position]]:
        """Store and return from where each partition is to be read. Raises DatabaseUnavailable."""
        return positions.find_places(self._engine, topic_id, logs)

    def apply(self, batch: Batch) -> Applied:
        """Apply a batch. Raises DatabaseUnavailable, Refused."""
        return apply(self._engine, batch, self._decided(batch))


class Behind(Exception):
    """The copy has not read as far as the live read models."""


class Shelf:
    """A copy that is to become the live one. To be opened first, and closed at last."""

    def __init__(self, live: sa.Engine, engine_of: Callable[[str], sa.Engine]) -> None:
        """live: where the live read models are. engine_of: returns the engine of a copy."""
        self.name = f"{copies.NEXT}{secrets.token_hex(4)}"
        self._live, self._copy = live, engine_of(self.name)
        self._turn = Turn(live)
        self._settling = Settling(self._copy)
        self._number: int | None = None
        self._outcome: Outcome | None = None
        self.store = CopyStore(self._copy, lambda batch: dead_letters.decided(live, batch))

    def open(self, partitions: int) -> list[str]:
        """Create the copy; return the names of those that were left by others, which are dropped.

        It knows of these partitions what is to be remembered of the topic. Raises AnotherRebuild, DatabaseUnavailable.
        """
        self._turn.take()
        left = copies.names(self._live, copies.NEXT)
        for name in left:
            copies.drop(self._live, name)
        self._number = copies.create(self._live, self.name)
        with transaction(self._live) as connection:
            known = positions.all_of(connection)
        with transaction(self._copy) as connection:
            positions.put(connection, {p: _anew(known[p]) for p in known if p < partitions})
        return left

    def close(self) -> None:
        """Drop the copy unless it has become the live one, and let others rebuild. Raises DatabaseUnavailable."""
        try:
            copies.drop(self._live, self.name)
        finally:
            self._turn.release()
            self._copy.dispose()

    def missed(self) -> int:
        """Return how many offsets were gone before they were read. Raises DatabaseUnavailable."""
        return sum(each.skipped for each in Queries(self._copy).positions().values())

    def seed(self) -> int:
        """Bring orders up to their present state whose events are gone; return how many. Raises DatabaseUnavailable."""
        after: str | None = FIRST
        seeded = 0
        while after is not None:
            after, number = seed_page(self._copy, after)
            seeded += number
        return seeded

    def swap(self, catch_up: CatchUp) -> Outcome | None:
        """Put the copy in the place of the live read models, if it has read as far, or gets there meanwhile.

        No batch and no decision is applied from the moment when the two are compared. None: it has not got there.
        Raises CannotSwap, DatabaseUnavailable; after the last it may have been done, and the next call
        tells.
        """
        if self._outcome and copies.number_of(self._live, "projection") == self._number:
            return self._outcome
        if copies.number_of(self._live, self.name) != self._number:
            raise CannotSwap(f"{self.name} is gone: somebody has dropped it")
        self._settling.settle()
        with suppress(Behind), self._turn.transaction() as connection:
            copies.hold_writers(connection, WRITERS_WAIT_S)
            if not catch_up(positions.all_of(connection)):
                raise Behind
            self._settling.settle()
            outcome = Outcome(Queries(self._live).stats(), Queries(self._copy).stats())
            copies.swap(connection, self.name, READERS_WAIT_S)
            self._outcome = outcome
            return outcome
        return None


def _anew(known: Position) -> Position:
    """Return where to begin in a partition: at the beginning of the topic that was read last.

    So what Kafka no longer has counts as skipped, and a topic that was created again stays known to have been.
    """
    return Position(known.topic_id, 0, 0, known.recreated)
