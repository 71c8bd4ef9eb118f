"""What the read API and the dashboards ask. Each answer is one statement, or of one snapshot: it is of one moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from projector.readmodel.changes import CANCELLED, PLACED
from projector.readmodel.placement import Position
from projector.store.database import transaction

# Ours have four at most. Who can write to the topic can make up any number, and an answer is made in memory.
MAX_VERSIONS = 1000

_STATS = sa.text(
    """
    SELECT
        (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
            SELECT status, sum(orders)::bigint AS orders, sum(amount)::text AS amount
            FROM projection.totals GROUP BY status HAVING sum(orders) <> 0 ORDER BY status
        ) AS t) AS totals,
        (SELECT coalesce(json_agg(row_to_json(p)), '[]') FROM (
            SELECT partition, next_offset, events FROM projection.positions ORDER BY partition
        ) AS p) AS positions
    """
)
# The newest minute is the present one, whether something happened in it or not.
_SERIES = sa.text(
    """
    SELECT span.minute, found.status, coalesce(sum(found.events), 0)::bigint AS events,
           coalesce(sum(found.amount), 0) AS amount
    FROM generate_series(
        date_trunc('minute', now()) - make_interval(mins => :minutes - 1), date_trunc('minute', now()), '1 minute'
    ) AS span (minute)
    LEFT JOIN projection.minutes AS found ON found.minute = span.minute
    GROUP BY span.minute, found.status ORDER BY span.minute, found.status
    """
)
_ITEMS = sa.text(
    """
    SELECT item, sum(orders)::bigint AS orders, sum(quantity)::bigint AS quantity, sum(amount) AS amount
    FROM projection.items GROUP BY item HAVING sum(orders) > 0
    ORDER BY sum(amount) DESC, item LIMIT :limit
    """
)
# Of several statements: all of them see what the first one has seen. The tables are locked before that, in the order in
# which a swap locks them: a snapshot from before a swap would show the new ones as they were before they were whole.
_ONE_MOMENT = sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
_NO_SWAP = sa.text(
    """
    LOCK TABLE projection.items, projection.minutes, projection.totals, projection.positions
    IN ACCESS SHARE MODE
    """
)
_NOW = sa.text("SELECT now()")
_TIMELINE = sa.text(
    """
    SELECT version, status, time, partition, "offset" AS at FROM projection.timeline
    WHERE order_id = :order_id ORDER BY version LIMIT :limit
    """
)
_POSITIONS = sa.text(
    "SELECT partition, topic_id, next_offset, skipped, recreated FROM projection.positions ORDER BY partition"
)
_COUNTS = sa.text(
    """
    SELECT
        (SELECT coalesce(sum(repeats), 0)::bigint FROM projection.positions) AS repeats,
        (SELECT coalesce(sum(ignored), 0)::bigint FROM projection.positions) AS ignored,
        (SELECT count(*) FROM projection.dead_letters WHERE discarded_at IS NULL) AS parked,
        (SELECT count(DISTINCT order_id) FROM projection.dead_letters WHERE discarded_at IS NULL) AS orders,
        (SELECT count(*) FROM projection.dead_letters WHERE published_at IS NULL) AS unpublished
    """
)


@dataclass(frozen=True)
class Stats:
    """Orders and money by present status, events, and the next offset of each partition."""

    by_status: dict[str, int]
    revenue: Decimal
    events: int
    next_offsets: dict[int, int]


@dataclass
class Minute:
    """The events of a minute by status: how many, and the totals of their orders."""

    minute: datetime
    events: dict[str, int]
    amounts: dict[str, Decimal]

    @property
    def revenue(self) -> Decimal:
        """What was placed less what was cancelled."""
        return self.amounts.get(PLACED, Decimal(0)) - self.amounts.get(CANCELLED, Decimal(0))


@dataclass(frozen=True)
class Item:
    """What was ordered under one name, without cancelled orders."""

    item: str
    orders: int
    quantity: int
    amount: Decimal


@dataclass(frozen=True)
class Figures:
    """All that a dashboard shows, of one moment of the database's clock, which is the same for all instances."""

    time: datetime
    stats: Stats
    minutes: list[Minute]
    items: list[Item]


@dataclass(frozen=True)
class Version:
    """A version of an order, and where its event stands."""

    version: int
    status: str
    time: datetime
    partition: int
    offset: int


@dataclass(frozen=True)
class Counts:
    """What health tells. parked: messages; orders: how many they are of; unpublished: letters."""

    repeats: int
    ignored: int
    parked: int
    orders: int
    unpublished: int


class Queries:
    """Reads the read models. Every method raises DatabaseUnavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def _rows(self, statement: sa.TextClause, **values: object) -> list[Any]:
        with transaction(self._engine) as connection:
            return list(connection.execute(statement, values))

    def stats(self) -> Stats:
        """Return the sums of everything."""
        return _stats(self._rows(_STATS))

    def series(self, minutes: int) -> list[Minute]:
        """Return the last minutes, the oldest first, those without events too."""
        return _series(self._rows(_SERIES, minutes=minutes))

    def items(self, limit: int) -> list[Item]:
        """Return the items that bring most revenue."""
        return [Item(*row) for row in self._rows(_ITEMS, limit=limit)]

    def figures(self, minutes: int, items: int) -> Figures:
        """Return all three, and the time.

        The tables are read in the order in which a swap locks them (db/versions/0010_rebuild_again.py): in another one,
        each could hold what the other waits for, and the swap would be ended.
        """
        with transaction(self._engine) as connection:
            connection.execute(_ONE_MOMENT)
            connection.execute(_NO_SWAP)
            return Figures(
                time=connection.execute(_NOW).scalar_one(),
                items=[Item(*row) for row in connection.execute(_ITEMS, {"limit": items})],
                minutes=_series(connection.execute(_SERIES, {"minutes": minutes})),
                stats=_stats(connection.execute(_STATS)),
            )

    def timeline(self, order_id: UUID) -> list[Version]:
        """Return the known versions of an order, at most MAX_VERSIONS; none of an unknown one."""
        rows = self._rows(_TIMELINE, order_id=str(order_id), limit=MAX_VERSIONS)
        return [Version(*row) for row in rows]

    def positions(self) -> dict[int, Position]:
        """Return the table of positions."""
        return {row[0]: Position(*row[1:]) for row in self._rows(_POSITIONS)}

    def counts(self) -> Counts:
        """Return what health tells."""
        [row] = self._rows(_COUNTS)
        return Counts(*row)


def _stats(rows: Iterable[Any]) -> Stats:
    [row] = rows
    return Stats(
        by_status={each["status"]: each["orders"] for each in row.totals},
        revenue=sum(
            (Decimal(each["amount"]) for each in row.totals if each["status"] != CANCELLED), Decimal(0)
        ),
        events=sum(each["events"] for each in row.positions),
        next_offsets={each["partition"]: each["next_offset"] for each in row.positions},
    )


def _series(rows: Iterable[Any]) -> list[Minute]:
    found: dict[datetime, Minute] = {}
    for row in rows:
        minute = found.setdefault(row.minute, Minute(row.minute, {}, {}))
        if row.status is not None:
            minute.events[row.status] = row.events
            minute.amounts[row.status] = row.amount
    return list(found.values())
