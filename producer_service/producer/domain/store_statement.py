"""The statement that stores a group of placements: orders, outbox rows and keyed responses, in one commit.

Planning it takes longer than running it, so it is prepared once for each connection. Its parameters are arrays, one for
each column, written as array literals: the server reads a literal in one go, where an `ARRAY[...]` of psycopg2 is an
expression with a node for each element.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from producer.domain.events import utc
from producer.domain.layout import DIRECT_PARTITIONS
from producer.domain.models import Order, Placement
from producer.domain.stored_response import KeyedResponse, StoredResponse

_POSTGRESQL = sa.make_url("postgresql://").get_dialect()()


def _types(record: type[Order | StoredResponse]) -> dict[str, str]:
    """Return the type of each column that the database does not compute or begin itself."""
    return {
        column.name: column.type.compile(_POSTGRESQL)
        for column in record.__table__.columns
        if column.server_default is None
    }


_ORDER = _types(Order)
_EVENT = {"type": "text", "payload": "text", "grace_s": "float8", "key_hash": "int8"}
_KEY = _types(StoredResponse)
# The columns of both sets of rows, in the order of the parameters.
ROWS = {"placement": "int", **_ORDER, **_EVENT}
KEYED = {"placement": "int", **_KEY}


def _arrays(columns: dict[str, str], first: int = 1) -> str:
    """Return `$1, $2, …`, one for each column."""
    return ", ".join(f"${number}" for number in range(first, first + len(columns)))


# A placement whose key is taken stores nothing: its number comes back. Each key is locked before it is looked at, or
# the whole group would wait for the uncommitted key of another process. A response that has expired is replaced. A new
# order has no earlier version in the outbox, so its event may be published directly, unless the layout says that only
# the relay may, or names a number of partitions and the hash that it divides was not given: then it is due at once. The
# last row says what the layout said.
PREPARE = f"""
    PREPARE store_placements ({", ".join(f"{type_}[]" for type_ in (*ROWS.values(), *KEYED.values()))}) AS
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest({_arrays(ROWS)}) AS given ({", ".join(ROWS)})
    ), keyed AS MATERIALIZED (
        SELECT given.*, pg_try_advisory_xact_lock(hashtextextended(key, 0)) AS locked
        FROM unnest({_arrays(KEYED, len(ROWS) + 1)}) AS given ({", ".join(KEYED)})
    ), stored AS (
        INSERT INTO idempotency_keys AS kept ({", ".join(_KEY)})
        SELECT {", ".join(_KEY)} FROM keyed WHERE locked
        ON CONFLICT (key) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _KEY if name != "key")}
        WHERE kept.expires_at <= now()
        RETURNING key
    ), direct AS MATERIALIZED (
        SELECT {DIRECT_PARTITIONS} AS partitions
    ), in_use AS MATERIALIZED (
        SELECT placement, locked FROM keyed WHERE NOT EXISTS (SELECT FROM stored WHERE stored.key = keyed.key)
    ), placed AS (
        INSERT INTO orders ({", ".join(_ORDER)})
        SELECT {", ".join(_ORDER)} FROM given WHERE placement NOT IN (SELECT placement FROM in_use)
    ), events AS (
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, partition, due_at)
        SELECT event_id, 'order', id, type, payload, version, may, key_hash % nullif(partitions, 0),
            clock_timestamp() + make_interval(secs => CASE WHEN may THEN grace_s ELSE 0 END)
        FROM (
            SELECT *, partitions IS NOT NULL AND (partitions = 0 OR key_hash IS NOT NULL) AS may FROM given, direct
        ) AS event
        WHERE placement NOT IN (SELECT placement FROM in_use)
    )
    SELECT placement, locked, NULL AS partitions FROM in_use UNION ALL SELECT NULL, NULL, partitions FROM direct
    """

EXECUTE = f"EXECUTE store_placements ({', '.join(['%s'] * (len(ROWS) + len(KEYED)))})"


def parameters_of(group: Iterable[tuple[Placement, KeyedResponse | None]]) -> tuple[str, ...]:
    """Return the parameters of EXECUTE. Placements are numbered from 0.

    Raises ValueError when a text has a NUL, which no literal can hold.
    """
    rows, keyed = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for number, (placement, response) in enumerate(group):
        grace_s = placement.grace.total_seconds()
        hashes: Sequence[int | None] = placement.key_hashes or [None] * len(placement.orders)
        rows.extend(
            (number, *(getattr(order, name) for name in _ORDER), event.type, event.payload, grace_s, key)
            for order, event, key in zip(placement.orders, placement.events, hashes, strict=True)
        )
        if response is not None:
            keyed.append((number, *(getattr(response, name) for name in _KEY)))
    return (*_literals(rows, ROWS), *_literals(keyed, KEYED))


def _literals(rows: Sequence[tuple[Any, ...]], columns: dict[str, str]) -> Iterable[str]:
    """Return an array literal for each column."""
    if not rows:
        return ["{}"] * len(columns)
    return [
        _array(values, _ELEMENTS.get(type_.lower(), str))
        for values, type_ in zip(zip(*rows, strict=True), columns.values(), strict=True)
    ]


def _array(values: Iterable[Any], element: Any) -> str:
    return "{" + ",".join(["NULL" if value is None else element(value) for value in values]) + "}"


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bytes(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


# What is not here, such as numbers, ids and times, needs no quotes inside an array.
_ELEMENTS = {"text": _text, "bytea": _bytes, "timestamp with time zone": utc}
