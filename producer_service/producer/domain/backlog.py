"""How much waits in the outbox, and how much may."""

from dataclasses import dataclass

import sqlalchemy as sa

EXACT_ROWS = 10_000

# Counting a million rows reads the whole table, so beyond EXACT_ROWS PostgreSQL's own estimates are taken: its
# running count, which a crash sets to 0, or what vacuum saw last, which falls behind a drain by its nap; the larger
# one. Rows are counted by an index: after a drain the table has pages that hold nothing.
# A parked row waits for an operator, and what is behind it waits with it: neither is a sign of age.
MEASURE = sa.text(
    """
    SELECT CASE WHEN unparked <= :exact THEN unparked
        ELSE greatest(unparked, pg_stat_get_live_tuples('outbox'::regclass),
            (SELECT reltuples::bigint FROM pg_class WHERE oid = 'outbox'::regclass) - parked) END + parked,
        oldest_s, parked
    FROM (
        SELECT (SELECT count(*) FROM (
                SELECT FROM outbox WHERE parked_at IS NULL ORDER BY due_at LIMIT :exact + 1) AS counted) AS unparked,
            (SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL) AS parked,
            (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM outbox AS waiting
            WHERE parked_at IS NULL AND NOT EXISTS (
                SELECT FROM outbox AS parked
                WHERE parked.aggregateid = waiting.aggregateid AND parked.version < waiting.version
                    AND parked.parked_at IS NOT NULL
            )
            ORDER BY created_at LIMIT 1) AS oldest_s
    ) AS measured
    """
)


@dataclass(frozen=True)
class BacklogLimit:
    """The largest outbox with which new orders are still taken."""

    rows: int
    age_s: float


@dataclass(frozen=True)
class Backlog:
    """The outbox at one moment.

    rows: exact up to EXACT_ROWS, about right beyond. oldest_s: None when nothing waits. parked: how many events
    Kafka refused.
    """

    rows: int
    oldest_s: float | None
    parked: int = 0

    def exceeds(self, limit: BacklogLimit) -> bool:
        """Return whether too many events wait, or one has waited too long."""
        return self.rows > limit.rows or (self.oldest_s or 0) > limit.age_s


def measure_backlog(engine: sa.Engine) -> Backlog:
    """Measure what waits in the outbox. Raises SQLAlchemyError when the database does not answer."""
    with engine.connect() as connection:
        rows, oldest_s, parked = connection.execute(MEASURE, {"exact": EXACT_ROWS}).one()
    return Backlog(rows, None if oldest_s is None else round(oldest_s, 3), parked)
