"""What PostgreSQL knows: the orders, and what of their events waits in the outbox or was discarded."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from producer.ledger.sighting import half_of

PAGE = 5000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

COUNT = sa.text("SELECT count(*) FROM orders")

# Waiting rows include those that are parked.
TOTALS = sa.text(
    """
    SELECT (SELECT count(*) FROM outbox WHERE parked_at IS NULL) AS in_outbox,
        (SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL) AS parked,
        (SELECT count(*) FROM outbox_discarded) AS discarded
    """
)

# A page by its key and not a cursor: each statement is short, and no snapshot is held for as long as all of it takes.
ORDERS = sa.text(
    """
    SELECT id::text, version, created_at, updated_at, changed_at, event_id FROM orders
    WHERE id > CAST(:after AS uuid) AND id <= CAST(:last AS uuid) ORDER BY id LIMIT :limit
    """
)

LAST_ORDER = sa.text("SELECT id::text FROM orders ORDER BY id DESC LIMIT 1")

# The outbox first: an event that is discarded between the two statements is then in the second answer.
WAITING = sa.text(
    """
    SELECT aggregateid::text, version FROM outbox
    WHERE aggregateid > CAST(:after AS uuid) AND aggregateid <= CAST(:last AS uuid)
    """
)
DISCARDED = sa.text(
    """
    SELECT aggregateid::text, version FROM outbox_discarded
    WHERE aggregateid > CAST(:after AS uuid) AND aggregateid <= CAST(:last AS uuid)
    """
)


@dataclass(frozen=True, slots=True)
class CommittedOrder:
    """An order at its version.

    accounted: the versions whose events are in the outbox or were discarded. newest: `half_of` the id of its last
    event; None for orders of before the release that keeps it.
    """

    id: bytes
    version: int
    created_at: datetime
    updated_at: datetime
    changed_at: list[datetime]
    accounted: frozenset[int] = frozenset()
    newest: int | None = None

    def id_of(self, version: int) -> int | None:
        """Return `half_of` the id of a version's event; None where it is not known.

        Of the last one it is, unless a release that does not keep it has changed the order since."""
        is_kept = version == self.version and len(self.changed_at) == self.version - 1
        return self.newest if is_kept else None

    def is_own(self, version: int, event: int) -> bool:
        """Return whether an event of this version may be the order's."""
        return self.id_of(version) in (None, event)

    def committed_at(self, version: int) -> datetime | None:
        """Return when a version was committed; None where that has not been kept."""
        if version == 1:
            return self.created_at
        if version == self.version:
            return self.updated_at
        return self.changed_at[version - 2] if len(self.changed_at) == self.version - 1 else None

    def committed_ms(self, version: int) -> int:
        """Return when a version was committed, in ms; where that is not known, when it was at the earliest."""
        moment = self.committed_at(version) or self.created_at
        return (moment - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Totals:
    """How many rows wait in the outbox, are parked there, and were discarded."""

    in_outbox: int
    parked: int
    discarded: int


class Books:
    """The tables. Every method raises SQLAlchemyError. engine: made with isolation_level="AUTOCOMMIT"."""

    def __init__(self, engine: sa.Engine):
        self._engine = engine

    def count_orders(self) -> int:
        """Return how many orders there are."""
        return int(self._run(COUNT)[0][0])

    def totals(self) -> Totals:
        """Count what waits, is parked, and was discarded."""
        return Totals(*self._run(TOTALS)[0])

    def pages(self, page: int = PAGE) -> Iterator[list[CommittedOrder]]:
        """Iterate over the orders that were committed before this call, sorted by id.

        The orders of a page are read before its outbox rows: an event that has left the outbox by then was read
        back from Kafka, or discarded.
        """
        newest = self._run(LAST_ORDER)
        after = "00000000-0000-0000-0000-000000000000"
        while newest and (rows := self._run(ORDERS, after=after, last=newest[0][0], limit=page)):
            bounds = {"after": after, "last": rows[-1].id}
            accounted: dict[str, set[int]] = {}
            for statement in (WAITING, DISCARDED):
                for order_id, version in self._run(statement, **bounds):
                    accounted.setdefault(order_id, set()).add(version)
            yield [
                CommittedOrder(
                    bytes.fromhex(row.id.replace("-", "")),
                    row.version,
                    row.created_at,
                    row.updated_at,
                    row.changed_at,
                    frozenset(accounted.get(row.id, ())),
                    half_of(row.event_id) if row.event_id else None,
                )
                for row in rows
            ]
            after = rows[-1].id

    def _run(self, statement: sa.TextClause, **values: Any) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).all()
