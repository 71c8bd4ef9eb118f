"""The outbox as the relay uses it: each statement has a name and runs in a transaction of its own."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from producer.domain.layout import EXISTS, IS_RELAYED, IS_STOPPED, NoLayout
from producer.publishing.produce import CLIENTS_OWN

Rows = Sequence[Any]


class DueEvent(NamedTuple):
    """What the relay needs of a row. The ids stay text, as they are sent: a relay claims thousands a second.

    partitions: by how many the layout has it published; 0: as many as there are. partition: which that is.
    """

    id: str
    order_id: str
    payload: str
    partitions: int = 0
    partition: int = CLIENTS_OWN


@dataclass(frozen=True)
class Lease:
    """How long a claimed row is left to the relay that took it, in seconds; longer with each attempt.

    It exceeds the delivery timeout and the read-back together. A lease that is too short costs repeats, never
    an order.
    """

    first_s: float = 10
    longest_s: float = 60
    # How far ahead a row may be dated: no lease, no hold and no grace is half as long.
    furthest_s: float = 120


# Only the earliest row of an order among all its rows (due or not, leased, locked or parked) is taken:
# version n+1 must not reach Kafka while n is in the outbox. A row blocked by an earlier one is re-dated in the
# same statement, or a backlog of blocked successors would be looked at again in every round. The snapshot
# cannot miss an earlier version: it was committed before the later one, under the order's row lock. Never by
# an id cursor: a lower id may be committed later. statement_timestamp(), as no index serves clock_timestamp().
#
# A blocked row is re-dated by a second, in case its release (below) is never done, as the process is killed; by
# more when the earlier one has been tried often, is not due for long, or has been parked for long: it may stay for
# hours, and a backlog of its successors would be written anew each second.
#
# The locked rows are found again by their place in the table: by id, PostgreSQL reads the whole table as long as it is
# of some 10,000 rows. A row that was changed after the statement began, and before it was locked, has a place that the
# statement does not see; it stays as it is until the next round.
#
# While publishing is stopped, only what may be on its way is claimed again, when its lease is over. Nothing is while
# nobody knows by how many partitions.
CLAIM = sa.text(
    f"""
    WITH due AS (
        SELECT ctid AS place, aggregateid, version FROM outbox
        WHERE parked_at IS NULL AND due_at <= statement_timestamp() AND (attempts > 0 OR NOT {IS_STOPPED})
            AND {EXISTS}
        ORDER BY due_at LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ), judged AS (
        SELECT place, earliest.id IS NOT NULL AS blocked,
            CASE WHEN earliest.parked_at IS NULL THEN greatest(power(2, least(earliest.attempts, 10) - 1),
                extract(epoch FROM earliest.due_at - statement_timestamp()) / 4)
            ELSE extract(epoch FROM statement_timestamp() - earliest.parked_at) END AS blocked_s
        FROM due LEFT JOIN LATERAL (
            SELECT id, attempts, parked_at, due_at FROM outbox AS earlier
            WHERE earlier.aggregateid = due.aggregateid AND earlier.version < due.version
            ORDER BY earlier.version LIMIT 1
        ) AS earliest ON true
    )
    UPDATE outbox SET
        attempts = attempts + CASE WHEN blocked THEN 0 ELSE 1 END,
        due_at = clock_timestamp() + make_interval(secs => least(:longest_s,
            CASE WHEN blocked THEN greatest(1, blocked_s) ELSE :first_s * (attempts + 1) END))
    FROM judged WHERE outbox.ctid = judged.place
    RETURNING blocked, outbox.id::text, aggregateid::text, payload, (SELECT partitions FROM layout)
    """
)

# In the order of ids: two relays that delete the same rows may wait for each other, but not in a circle.
DELETE = sa.text(
    """
    WITH deleted AS (
        DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
        )
        RETURNING aggregateid, version
    )
    SELECT array_agg(aggregateid)::text AS orders, array_agg(version)::text AS versions FROM deleted
    """
)

# After the delete, and not in its statement: a snapshot from before the delete would miss a successor that was
# stored meanwhile. Rows that a web process publishes (direct) or a relay has claimed (attempts) are left alone.
RELEASE_SUCCESSORS = sa.text(
    """
    UPDATE outbox SET due_at = statement_timestamp() WHERE id IN (
        SELECT outbox.id FROM outbox
        JOIN unnest(CAST(:orders AS uuid[]), CAST(:versions AS int[])) AS deleted (aggregateid, version)
            ON outbox.aggregateid = deleted.aggregateid AND outbox.version = deleted.version + 1
        WHERE NOT direct AND attempts = 0 AND parked_at IS NULL AND due_at > statement_timestamp()
        FOR UPDATE OF outbox SKIP LOCKED
    )
    """
)

# After the claim, and not in its statement: a release that ran while the claim held a blocked row has passed it over.
# Whatever is deleted from now on releases its successor itself.
RELEASE_UNBLOCKED = sa.text(
    """
    UPDATE outbox SET due_at = statement_timestamp() WHERE id IN (
        SELECT id FROM outbox AS waiting
        WHERE id = ANY(CAST(:ids AS uuid[])) AND NOT direct AND attempts = 0 AND parked_at IS NULL
            AND due_at > statement_timestamp() AND NOT EXISTS (
                SELECT FROM outbox AS earlier
                WHERE earlier.aggregateid = waiting.aggregateid AND earlier.version < waiting.version
            )
        FOR UPDATE SKIP LOCKED
    )
    """
)

# By the next row in the index: after a drain a scan would read the pages that vacuum has not given back yet.
# While the topic is being grown there is always work: to look for new partitions.
HAS_DUE = sa.text(
    f"""
    SELECT {IS_RELAYED} OR EXISTS (
        SELECT FROM (SELECT due_at FROM outbox WHERE parked_at IS NULL ORDER BY due_at LIMIT 1) AS next
        WHERE due_at <= statement_timestamp()
    ), {EXISTS}
    """
)

# A row behind a parked one was never handed to Kafka, and it waits for the same operator: neither counts.
OLDEST_UNPARKED = sa.text(
    """
    SELECT created_at FROM outbox AS waiting
    WHERE parked_at IS NULL AND NOT EXISTS (
        SELECT FROM outbox AS parked
        WHERE parked.aggregateid = waiting.aggregateid AND parked.version < waiting.version
            AND parked.parked_at IS NOT NULL
    )
    ORDER BY created_at LIMIT 1
    """
)

# A claimed row that is not on its way: it was not handed to Kafka, which was no attempt, or Kafka has not acknowledged
# it in time. Its lease is for a relay that cannot say so any more.
HOLD = sa.text(
    """
    UPDATE outbox
    SET due_at = clock_timestamp() + make_interval(secs => :for_s), attempts = greatest(0, attempts - :untried)
    WHERE id IN (
        SELECT id FROM outbox WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE SKIP LOCKED
    )
    """
)
# No row is dated as far ahead as this by any rule, so the clock has been set back since: left alone, the row would wait
# for as long as that was. It may be on its way at this moment; then there is a repeat. Its age begins anew as well, or
# nobody would be told that it is old.
PULL_IN = sa.text(
    """
    UPDATE outbox
    SET due_at = statement_timestamp(), created_at = least(created_at, statement_timestamp())
    WHERE id IN (
        SELECT id FROM outbox
        WHERE parked_at IS NULL AND due_at > statement_timestamp() + make_interval(secs => :furthest_s)
        ORDER BY due_at LIMIT :limit
        FOR UPDATE SKIP LOCKED
    )
    """
)
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

# The order's events can reach Kafka from now on, so their age begins now: the bound on the backlog's age and the
# start of a read-back count from created_at.
REQUEUE = sa.text(
    """
    WITH requeued AS (
        UPDATE outbox SET parked_at = NULL, parked_reason = NULL, attempts = 0, due_at = clock_timestamp(),
            created_at = clock_timestamp()
        WHERE id = :id AND parked_at IS NOT NULL
        RETURNING id, aggregateid, version
    ), renewed AS (
        UPDATE outbox AS later SET created_at = clock_timestamp() FROM requeued
        WHERE later.aggregateid = requeued.aggregateid AND later.version > requeued.version
    )
    SELECT id FROM requeued
    """
)

# The declared exception to "only the read-back deletes": an event that Kafka refuses for its content can never
# be read back. It stays on record. The age of later versions begins now, as with a requeue.
DISCARD = sa.text(
    """
    WITH deleted AS (
        DELETE FROM outbox WHERE id = :id AND parked_at IS NOT NULL RETURNING *
    ), renewed AS (
        UPDATE outbox AS later SET created_at = clock_timestamp() FROM deleted
        WHERE later.aggregateid = deleted.aggregateid AND later.version > deleted.version
    )
    INSERT INTO outbox_discarded (id, aggregateid, type, version, payload, parked_reason)
    SELECT id, aggregateid, type, version, payload, parked_reason FROM deleted
    RETURNING ARRAY[aggregateid]::text AS orders, ARRAY[version]::text AS versions
    """
)

DELETE_EXPIRED_KEYS = sa.text(
    """
    DELETE FROM idempotency_keys WHERE key IN (
        SELECT key FROM idempotency_keys WHERE expires_at < now() LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    """
)


class Outbox:
    """The outbox table. Any number of relays may work on it at once.

    Every method raises SQLAlchemyError when the database does not answer.

    engine: made with isolation_level="AUTOCOMMIT"; switching for each statement takes longer than most
    statements.
    """

    def __init__(self, engine: sa.Engine, lease: Lease | None = None):
        self._engine = engine
        self._lease = lease or Lease()

    def claim(self, limit: int) -> tuple[list[DueEvent], int]:
        """Lease up to `limit` due rows; return those to publish and how many were blocked by an earlier version."""
        rows = self._run(CLAIM, limit=limit, first_s=self._lease.first_s, longest_s=self._lease.longest_s)
        taken = [DueEvent(*event) for blocked, *event in rows if not blocked]
        if len(taken) < len(rows):
            self._release_unblocked([event_id for blocked, event_id, *_ in rows if blocked])
        return taken, len(rows) - len(taken)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete the rows of events that were read back; return how many successors became due.

        ids: UUIDs as text; as one string they reach the database at a fraction of a list's cost.
        """
        (deleted,) = self._run(DELETE, ids="{" + ",".join(ids) + "}")
        return self._release_successors(deleted) if deleted.orders else 0

    def has_due(self) -> bool:
        """Return whether any row is due. Raises NoLayout when nobody knows where it is to go."""
        [(has_due, has_layout)] = self._run(HAS_DUE)
        if has_due and not has_layout:
            raise NoLayout
        return bool(has_due)

    def oldest_unparked(self) -> datetime | None:
        """Return since when the oldest event waits that may be in Kafka, or None.

        Parked rows and rows behind them do not count.
        """
        found = self._run(OLDEST_UNPARKED)
        oldest: datetime | None = found[0][0] if found else None
        return oldest

    def hold(self, ids: Sequence[str], for_s: float) -> None:
        """Put off claimed rows that were not handed to Kafka: that was no attempt."""
        self._put_off(ids, for_s, untried=1)

    def retry(self, ids: Sequence[str], after_s: float) -> None:
        """Make claimed rows that Kafka did not acknowledge due again, before their lease ends."""
        self._put_off(ids, after_s, untried=0)

    def park(self, event_id: UUID | str, reason: str) -> None:
        """Park a row that Kafka refuses for good; later versions of its order wait behind it."""
        with self._engine.connect() as connection:
            connection.execute(PARK, {"id": event_id, "reason": reason})

    def parked(self) -> Rows:
        """Return the parked rows, the longest parked first."""
        return self._run(PARKED)

    def requeue(self, event_id: UUID) -> bool:
        """Make a parked row due again; return False when no row with this id is parked."""
        return bool(self._run(REQUEUE, id=event_id))

    def discard(self, event_id: UUID) -> bool:
        """Delete a parked row, on record, so that later versions of its order flow; return False when there is none."""
        discarded = self._run(DISCARD, id=event_id)
        for deleted in discarded:
            self._release_successors(deleted)
        return bool(discarded)

    def delete_expired_keys(self, limit: int) -> int:
        """Delete up to `limit` idempotency keys that have expired; return how many there were."""
        with self._engine.connect() as connection:
            return connection.execute(DELETE_EXPIRED_KEYS, {"limit": limit}).rowcount

    def pull_in(self, limit: int) -> int:
        """Make up to `limit` rows due that are dated too far ahead, after the clock was set back; return how many."""
        with self._engine.connect() as connection:
            values = {"furthest_s": self._lease.furthest_s, "limit": limit}
            return connection.execute(PULL_IN, values).rowcount

    def _put_off(self, ids: Sequence[str], for_s: float, untried: int) -> None:
        with self._engine.connect() as connection:
            values = {"ids": "{" + ",".join(ids) + "}", "for_s": for_s, "untried": untried}
            connection.execute(HOLD, values)

    def _release_successors(self, deleted: Any) -> int:
        """Make the next version of each order due; return how many there were.

        deleted: `orders` and `versions`, arrays as PostgreSQL wrote them as text; they are not parsed here.
        """
        with self._engine.connect() as connection:
            arrays = {"orders": deleted.orders, "versions": deleted.versions}
            return connection.execute(RELEASE_SUCCESSORS, arrays).rowcount

    def _release_unblocked(self, ids: Sequence[str]) -> None:
        """Make those of the rows due before which there is no earlier version any more.

        An error is as if they had been passed over, and no reason to forget what was claimed.
        """
        with suppress(SQLAlchemyError), self._engine.connect() as connection:
            connection.execute(RELEASE_UNBLOCKED, {"ids": "{" + ",".join(ids) + "}"})

    def _run(self, statement: sa.TextClause, **values: Any) -> Rows:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).all()
