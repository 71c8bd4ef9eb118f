"""The table of dead letters: messages that are parked, and what an operator decides about them."""

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from projector.readmodel.batch import Batch
from projector.readmodel.parking import BEHIND, Decided, Letter
from projector.store.arrays import array
from projector.store.database import transaction

MAX_ERROR = 500

_PARKED_ORDERS = sa.text(
    """
    SELECT DISTINCT order_id::text FROM projection.dead_letters
    WHERE order_id = ANY(CAST(:order_ids AS uuid[])) AND discarded_at IS NULL
    """
)
# A message that was parked, discarded and read again stays as it was decided. Where Kafka has lost the end of a log,
# its offsets come again with other messages: such a one is no repeat, and its topic's id gets a suffix.
_PARK = sa.text(
    """
    WITH new (topic_id, partition, "offset", order_id, key, value, time, error) AS (VALUES (
        CAST(:topic_id AS text), CAST(:partition AS integer), CAST(:offset AS bigint), CAST(:order_id AS uuid),
        CAST(:key AS bytea), CAST(:value AS bytea), CAST(:time AS timestamptz), CAST(:error AS text)
    ))
    INSERT INTO projection.dead_letters (topic_id, partition, "offset", order_id, key, value, time, error)
    SELECT
        new.topic_id || CASE WHEN EXISTS (
            SELECT FROM projection.dead_letters AS old
            WHERE old.topic_id = new.topic_id AND old.partition = new.partition AND old."offset" = new."offset"
                AND (old.key, old.value) IS DISTINCT FROM (new.key, new.value)
        ) THEN '+' || md5(concat(new.key, new.value)) ELSE '' END,
        partition, "offset", order_id, key, value, time, error
    FROM new
    ON CONFLICT (topic_id, partition, "offset") DO NOTHING
    """
)
_DECIDED = sa.text(
    """
    SELECT known.partition, known."offset" AS at, key, value, CASE WHEN discarded_at IS NULL THEN error END AS error
    FROM projection.dead_letters AS known JOIN unnest(
        CAST(:partitions AS integer[]), CAST(:begins AS bigint[]), CAST(:ends AS bigint[])
    ) AS span (partition, "from", "to")
        ON known.partition = span.partition AND known."offset" >= span."from" AND known."offset" < span."to"
    WHERE known.topic_id = :topic_id OR starts_with(known.topic_id, :topic_id || '+')
    """
)
_COLUMNS = (
    'id, topic_id, partition, "offset" AS at, order_id, key, value, time, error, parked_at, discarded_at'
)
_BYTES = "coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0)"
# Without the messages, of which each may have a megabyte.
_LIST = sa.text(
    """
    SELECT id, partition, "offset" AS at, order_id, error, parked_at FROM projection.dead_letters
    WHERE discarded_at IS NULL ORDER BY id LIMIT :limit
    """
)
_LAST = sa.text("SELECT coalesce(max(id), 0) FROM projection.dead_letters WHERE discarded_at IS NULL")
_FIND = sa.text(f"SELECT {_COLUMNS} FROM projection.dead_letters WHERE id = :id")
# Of the orders of these letters; messages of an unknown order are alone.
_OF_ORDERS = sa.text(
    f"""
    WITH chosen AS (SELECT id, order_id FROM projection.dead_letters WHERE id = ANY(:ids) AND discarded_at IS NULL)
    SELECT {_COLUMNS} FROM projection.dead_letters
    WHERE id IN (
        SELECT id FROM chosen
        UNION
        SELECT other.id FROM chosen JOIN projection.dead_letters AS other USING (order_id)
        WHERE other.discarded_at IS NULL
    )
    ORDER BY id
    """
)
# Those that are not only behind another.
_CHOSEN = sa.text(
    f"""
    SELECT id, {_BYTES} AS bytes FROM projection.dead_letters
    WHERE discarded_at IS NULL AND error <> :behind AND id > :after AND id <= :last
        AND (CAST(:order_id AS uuid) IS NULL OR order_id = CAST(:order_id AS uuid))
        AND (CAST(:reason AS text) IS NULL OR position(lower(:reason) IN lower(error)) > 0)
    ORDER BY id LIMIT :limit
    """
)
_UNPUBLISHED = sa.text(
    f"""
    SELECT id, {_BYTES} AS bytes FROM projection.dead_letters WHERE published_at IS NULL
    ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)
_READ = sa.text(f"SELECT {_COLUMNS} FROM projection.dead_letters WHERE id = ANY(:ids) ORDER BY id")
_PUBLISHED = sa.text("UPDATE projection.dead_letters SET published_at = now() WHERE id = ANY(:ids)")
_DISCARD = sa.text("UPDATE projection.dead_letters SET discarded_at = now() WHERE id = ANY(:ids)")
_DELETE = sa.text("DELETE FROM projection.dead_letters WHERE id = ANY(:ids)")
_EXPLAIN = sa.text("UPDATE projection.dead_letters SET error = :error WHERE id = :id")


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A row of the table."""

    id: int
    topic_id: str
    partition: int
    offset: int
    order_id: UUID | None
    key: bytes | None
    value: bytes | None
    time: datetime
    error: str
    parked_at: datetime
    discarded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which parked messages are to be decided about: all, those of an order, those whose error has this text in it."""

    order_id: UUID | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ListedLetter:
    """What a list says of a letter."""

    id: int
    partition: int
    offset: int
    order_id: UUID | None
    error: str
    parked_at: datetime


def parked_orders(connection: sa.Connection, order_ids: Set[str]) -> set[str]:
    """Return which of the orders have a parked message."""
    if not order_ids:
        return set()
    rows = connection.execute(_PARKED_ORDERS, {"order_ids": array(order_ids)})
    return {row.order_id for row in rows}


def park(connection: sa.Connection, topic_id: str, letters: Sequence[Letter]) -> None:
    """Store messages as dead letters."""
    rows = [
        {
            "topic_id": topic_id,
            "partition": message.partition,
            "offset": message.offset,
            "order_id": message.order_id,
            "key": message.key,
            "value": message.value,
            "time": message.time,
            "error": error[:MAX_ERROR],
        }
        for message, error in letters
    ]
    if rows:
        connection.execute(_PARK, rows)


def decided(engine: sa.Engine, batch: Batch) -> Decided:
    """Return what is on record about the messages of a batch. Raises DatabaseUnavailable.

    Not what is about another message at the same place, where Kafka has lost the end of a log.
    """
    spans = {"partitions": list(batch.slices), "topic_id": batch.topic_id}
    spans["begins"] = [each.begin for each in batch.slices.values()]
    spans["ends"] = [each.end for each in batch.slices.values()]
    with transaction(engine) as connection:
        rows = [_plain_row(row) for row in connection.execute(_DECIDED, spans)]
    messages = {(p, m.offset): (m.key, m.value) for p, each in batch.slices.items() for m in each.messages}
    return {
        (partition, at): error
        for partition, at, key, value, error in rows
        if messages.get((partition, at)) == (key, value)
    }


def parked(engine: sa.Engine, limit: int) -> list[ListedLetter]:
    """Return the letters that are parked, in the order they came. Raises DatabaseUnavailable."""
    with transaction(engine) as connection:
        return [ListedLetter(*row) for row in connection.execute(_LIST, {"limit": limit})]


def find(engine: sa.Engine, letter_id: int) -> StoredLetter | None:
    """Return a letter, parked or discarded. Raises DatabaseUnavailable."""
    with transaction(engine) as connection:
        return next(iter(_letters(connection.execute(_FIND, {"id": letter_id}))), None)


def unpublished(connection: sa.Connection, limit: int, limit_bytes: int = 4 << 20) -> list[StoredLetter]:
    """Return letters that are not on the topic for dead letters yet; no other transaction gets the same.

    limit_bytes: of all of them together; the first one is returned however large it is.
    """
    ids = _within(limit_bytes, connection.execute(_UNPUBLISHED, {"limit": limit}))
    return _letters(connection.execute(_READ, {"ids": ids})) if ids else []


def last_parked(engine: sa.Engine) -> int:
    """Return the highest number of a parked message, 0 when there is none. Raises DatabaseUnavailable."""
    with transaction(engine) as connection:
        return int(connection.execute(_LAST).scalar_one())


def chosen(
    engine: sa.Engine, choice: Choice, after: int, last: int, limit: int, limit_bytes: int = 4 << 20
) -> list[int]:
    """Return the next numbers behind `after`, up to `last`, without those of messages that only wait behind another.

    limit_bytes: as for `unpublished`. Raises DatabaseUnavailable.
    """
    values = {"order_id": choice.order_id, "reason": choice.reason, "behind": BEHIND}
    span = {"after": after, "last": last, "limit": limit}
    with transaction(engine) as connection:
        return _within(limit_bytes, connection.execute(_CHOSEN, values | span))


def _within(limit_bytes: int, rows: Iterable[Any]) -> list[int]:
    ids: list[int] = []
    for row in rows:
        limit_bytes -= row.bytes
        if ids and limit_bytes < 0:
            break
        ids.append(row.id)
    return ids


def mark_published(connection: sa.Connection, letters: Iterable[StoredLetter]) -> None:
    """Remember that letters are on the topic."""
    connection.execute(_PUBLISHED, {"ids": [letter.id for letter in letters]})


def of_orders(connection: sa.Connection, letter_ids: Collection[int]) -> list[StoredLetter]:
    """Return the parked letters of the same orders as these, in the order they came; those not parked have none."""
    return _letters(connection.execute(_OF_ORDERS, {"ids": list(letter_ids)}))


def mark_discarded(connection: sa.Connection, letters: Iterable[StoredLetter]) -> None:
    """Give letters up; they stay on record."""
    connection.execute(_DISCARD, {"ids": [letter.id for letter in letters]})


def delete(connection: sa.Connection, letters: Iterable[StoredLetter]) -> None:
    """Delete letters whose events have been applied."""
    connection.execute(_DELETE, {"ids": [letter.id for letter in letters]})


def explain(connection: sa.Connection, letter_id: int, error: str) -> None:
    """Store why a letter is still parked."""
    connection.execute(_EXPLAIN, {"id": letter_id, "error": error[:MAX_ERROR]})


def _letters(rows: Iterable[Any]) -> list[StoredLetter]:
    return [StoredLetter(*_plain_row(row)) for row in rows]


def _plain_row(row: Iterable[Any]) -> list[Any]:
    return [_plain(value) for value in row]


def _plain(value: Any) -> Any:
    """Return bytes for the driver's view of them."""
    return bytes(value) if isinstance(value, memoryview) else value
