"""The outbox's bound: past it new orders are refused, rather than accepted into a disk that fills up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from producer.errors import Problem

RETRY_AFTER_S = 5

# Counted only up to the bound. What is parked waits for an operator and is no sign of a backlog.
_BACKLOG = sa.text(
    """
    SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT :max_rows + 1) AS counted),
           (SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float8
            FROM outbox WHERE parked_at IS NULL)
    """
)


@dataclass(frozen=True)
class Bound:
    rows: int
    age_s: float


def measure(engine: sa.Engine, bound: Bound) -> dict[str, Any]:
    """`rows` is exact up to the bound. SQLAlchemyError without the database."""
    with engine.connect() as connection:
        rows, oldest_s = connection.execute(_BACKLOG, {"max_rows": bound.rows}).one()
    return {"rows": rows, "oldest_s": None if oldest_s is None else round(oldest_s, 3)}


def refuse_when_full(backlog: Callable[[], dict[str, Any]], bound: Bound) -> None:
    """Problem 503 when too many events, or too old ones, wait to be published."""
    found = backlog()
    if found["rows"] > bound.rows or (found["oldest_s"] or 0) > bound.age_s:
        detail = "too many orders wait to be published; none is taken until Kafka has caught up"
        raise Problem(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})
