"""How much waits in the outbox, and how much may."""

from dataclasses import dataclass

import sqlalchemy as sa

# Rows are counted only up to the limit. A parked row waits for an operator, and what is behind it waits with it:
# neither is a sign of a backlog.
_MEASURE = sa.text(
    """
    SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT :max_rows + 1) AS counted),
           (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM outbox AS waiting
            WHERE parked_at IS NULL AND NOT EXISTS (
                SELECT FROM outbox AS parked
                WHERE parked.aggregateid = waiting.aggregateid AND parked.version < waiting.version
                    AND parked.parked_at IS NOT NULL
            )
            ORDER BY created_at LIMIT 1),
           (SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL)
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

    rows: exact up to the limit. oldest_s: None when nothing waits. parked: how many events Kafka refused.
    """

    rows: int
    oldest_s: float | None
    parked: int

    def exceeds(self, limit: BacklogLimit) -> bool:
        """Return whether too many events wait, or one has waited too long."""
        return self.rows > limit.rows or (self.oldest_s or 0) > limit.age_s


def measure_backlog(engine: sa.Engine, limit: BacklogLimit) -> Backlog:
    """Count what waits in the outbox. Raises SQLAlchemyError when the database does not answer."""
    with engine.connect() as connection:
        rows, oldest_s, parked = connection.execute(_MEASURE, {"max_rows": limit.rows}).one()
    return Backlog(rows, None if oldest_s is None else round(oldest_s, 3), parked)
