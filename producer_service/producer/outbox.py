"""The outbox as the relay sees it: each statement by name, each in a transaction of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

Rows = Sequence[Any]


class DueEvent(NamedTuple):
    """What the relay needs of a row. The ids are text, as they are sent: a relay draws thousands a second."""

    id: str
    order_id: str
    payload: str


@dataclass(frozen=True)
class Lease:
    """How long a claimed row is left to the relay that took it; longer with each attempt.

    Longer than the delivery timeout and the read-back together. A lease that is too short costs repeats,
    never an order.
    """

    first_s: float = 10
    longest_s: float = 60


# Only the earliest row of an order among all its rows (due or not, leased, locked or parked) is taken:
# version n+1 must not reach Kafka while n is here. A row found behind another is re-dated in the same
# statement, or a backlog of blocked successors would be looked at again in every pass. The snapshot cannot
# miss an earlier version: it was committed before the later one, under the order's row lock. Never by an id
# cursor: a lower id may be committed later. statement_timestamp(), as no index serves clock_timestamp().
CLAIM = sa.text(
    """
    WITH due AS (
        SELECT id, aggregateid, version FROM outbox
        WHERE parked_at IS NULL AND due_at <= statement_timestamp()
        ORDER BY due_at LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ), judged AS (
        SELECT id, EXISTS (
            SELECT FROM outbox AS earlier
            WHERE earlier.aggregateid = due.aggregateid AND earlier.version < due.version
        ) AS behind
        FROM due
    )
    UPDATE outbox SET
        attempts = attempts + CASE WHEN behind THEN 0 ELSE 1 END,
        due_at = clock_timestamp() + make_interval(secs =>
            CASE WHEN behind THEN 1 ELSE least(:first_s * (attempts + 1), :longest_s) END)
    FROM judged WHERE outbox.id = judged.id
    RETURNING behind, outbox.id::text, aggregateid::text, payload
    """
)

# In the order of ids: two relays that delete the same rows can wait for each other, but not in a circle.
REMOVE = sa.text(
    """
    WITH gone AS (
        DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
        )
        RETURNING aggregateid, version
    )
    SELECT array_agg(aggregateid)::text AS orders, array_agg(version)::text AS versions FROM gone
    """
)

# After the delete, and not in its statement: a snapshot from before it would miss the successor that was
# stored meanwhile. Rows that an app publishes (direct) or a relay has claimed (attempts) are left alone.
RELEASE_SUCCESSORS = sa.text(
    """
    UPDATE outbox SET due_at = statement_timestamp() WHERE id IN (
        SELECT outbox.id FROM outbox
        JOIN unnest(CAST(:orders AS uuid[]), CAST(:versions AS int[])) AS gone (aggregateid, version)
            ON outbox.aggregateid = gone.aggregateid AND outbox.version = gone.version + 1
        WHERE NOT direct AND attempts = 0 AND parked_at IS NULL AND due_at > statement_timestamp()
        FOR UPDATE OF outbox SKIP LOCKED
    )
    """
)

HAS_DUE = sa.text(
    "SELECT EXISTS (SELECT FROM outbox WHERE parked_at IS NULL AND due_at <= statement_timestamp())"
)

OLDEST_UNPARKED = sa.text("SELECT min(created_at) FROM outbox WHERE parked_at IS NULL")

PARK = sa.text(
    """
    UPDATE outbox SET parked_at = clock_timestamp(), parked_reason = :reason
    WHERE id = :id AND parked_at IS NULL
    """
)

PARKED = sa.text(
    """
    SELECT id, type, aggregateid, version, parked_at, parked_reason FROM outbox
    WHERE parked_at IS NOT NULL ORDER BY parked_at
    """
)

REQUEUE = sa.text(
    """
    UPDATE outbox SET parked_at = NULL, parked_reason = NULL, attempts = 0, due_at = clock_timestamp()
    WHERE id = :id AND parked_at IS NOT NULL RETURNING id
    """
)

# The declared exception to "only the read-back deletes": what Kafka refuses for its content can never be read
# back. It stays on record.
DISCARD = sa.text(
    """
    WITH gone AS (DELETE FROM outbox WHERE id = :id AND parked_at IS NOT NULL RETURNING *)
    INSERT INTO outbox_discarded (id, aggregateid, type, version, payload, parked_reason)
    SELECT id, aggregateid, type, version, payload, parked_reason FROM gone
    RETURNING ARRAY[aggregateid]::text AS orders, ARRAY[version]::text AS versions
    """
)

FORGET_KEYS = sa.text(
    """
    DELETE FROM idempotency_keys WHERE key IN (
        SELECT key FROM idempotency_keys WHERE expires_at < now() LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    """
)


class Outbox:
    """Any number of relays may work on it at once. Every method: SQLAlchemyError without the database.

    engine: one that was made with isolation_level="AUTOCOMMIT"; to switch for each statement takes longer
    than most statements.
    """

    def __init__(self, engine: sa.Engine, lease: Lease | None = None):
        self._engine = engine
        self._lease = lease or Lease()

    def claim(self, limit: int) -> tuple[list[DueEvent], int]:
        """Take due rows to publish, at most one of each order; and how many were found behind another."""
        rows = self._run(CLAIM, limit=limit, first_s=self._lease.first_s, longest_s=self._lease.longest_s)
        taken = [DueEvent(event, order, payload) for behind, event, order, payload in rows if not behind]
        return taken, len(rows) - len(taken)

    def remove(self, ids: Sequence[str]) -> int:
        """Delete the rows of events that were read back; returns how many successors this made due.

        ids: UUIDs as text; as one string they reach the database at a fraction of a list's cost.
        """
        (gone,) = self._run(REMOVE, ids="{" + ",".join(ids) + "}")
        return self._release_successors(gone) if gone.orders else 0

    def has_due(self) -> bool:
        return bool(self._run(HAS_DUE)[0][0])

    def oldest_unparked(self) -> datetime | None:
        oldest: datetime | None = self._run(OLDEST_UNPARKED)[0][0]
        return oldest

    def park(self, event_id: UUID | str, reason: str) -> None:
        """Set a row aside that Kafka refuses for good; later versions of its order wait behind it."""
        with self._engine.connect() as connection:
            connection.execute(PARK, {"id": event_id, "reason": reason})

    def parked(self) -> Rows:
        return self._run(PARKED)

    def requeue(self, event_id: UUID) -> bool:
        """Offer a parked row to Kafka again; False when there is none of this id."""
        return bool(self._run(REQUEUE, id=event_id))

    def discard(self, event_id: UUID) -> bool:
        """Give a parked row up, on record; later versions of its order flow. False when there is none."""
        discarded = self._run(DISCARD, id=event_id)
        for gone in discarded:
            self._release_successors(gone)
        return bool(discarded)

    def forget_keys(self, limit: int) -> None:
        """Remove idempotency keys that have expired."""
        with self._engine.connect() as connection:
            connection.execute(FORGET_KEYS, {"limit": limit})

    def _release_successors(self, gone: Any) -> int:
        """gone: `orders` and `versions` as PostgreSQL wrote them, arrays as text: never looked at here."""
        with self._engine.connect() as connection:
            arrays = {"orders": gone.orders, "versions": gone.versions}
            return connection.execute(RELEASE_SUCCESSORS, arrays).rowcount

    def _run(self, statement: sa.TextClause, **values: Any) -> Rows:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).all()
