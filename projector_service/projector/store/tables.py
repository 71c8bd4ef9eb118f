"""The statements that write the read models, one for each table and batch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from projector.readmodel.batch import Message
from projector.readmodel.changes import Changes, OrderState
from projector.store.arrays import array, arrays

# ON CONFLICT decides what counts: of two transactions with one version, the second gets no row back. In the order of
# the key, as all statements here, so that two transactions never wait for each other.
_TIMELINE = sa.text(
    """
    INSERT INTO projection.timeline (order_id, version, status, time, partition, "offset")
    SELECT * FROM unnest(
        CAST(:order_ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:statuses AS text[]),
        CAST(:times AS timestamptz[]), CAST(:partitions AS integer[]), CAST(:offsets AS bigint[])
    )
    ON CONFLICT (order_id, version) DO NOTHING
    RETURNING order_id::text, version
    """
)
_LOCK_ORDERS = sa.text(
    """
    SELECT order_id::text, version, status, item, quantity, total FROM projection.orders
    WHERE order_id = ANY(CAST(:order_ids AS uuid[])) ORDER BY order_id FOR UPDATE
    """
)
_ORDER_ROWS = """
    SELECT * FROM unnest(
        CAST(:order_ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:statuses AS text[]),
        CAST(:items AS text[]), CAST(:quantities AS integer[]), CAST(:totals AS numeric[])
    )
"""
# An order that nobody knows has no row to be locked. Inserting it is the lock: of two transactions, with two versions
# in two partitions, the second waits for the first and then finds the row.
_NEW_ORDERS = sa.text(
    f"""
    INSERT INTO projection.orders (order_id, version, status, item, quantity, total) {_ORDER_ROWS}
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id::text
    """
)
_ORDERS = sa.text(
    f"""
    UPDATE projection.orders AS known SET
        version = now.version, status = now.status, item = now.item, quantity = now.quantity, total = now.total
    FROM ({_ORDER_ROWS}) AS now (order_id, version, status, item, quantity, total)
    WHERE known.order_id = now.order_id
    """
)
_ORDER_COLUMNS = ("order_ids", "versions", "statuses", "items", "quantities", "totals")
_TOTALS = sa.text(
    """
    INSERT INTO projection.totals AS known (partition, status, orders, amount)
    SELECT * FROM unnest(
        CAST(:partitions AS integer[]), CAST(:statuses AS text[]), CAST(:numbers AS bigint[]),
        CAST(:amounts AS numeric[])
    )
    ON CONFLICT (partition, status) DO UPDATE SET
        orders = known.orders + excluded.orders, amount = known.amount + excluded.amount
    """
)
_MINUTES = sa.text(
    """
    INSERT INTO projection.minutes AS known (partition, minute, status, events, amount)
    SELECT * FROM unnest(
        CAST(:partitions AS integer[]), CAST(:minutes AS timestamptz[]), CAST(:statuses AS text[]),
        CAST(:numbers AS bigint[]), CAST(:amounts AS numeric[])
    )
    ON CONFLICT (partition, minute, status) DO UPDATE SET
        events = known.events + excluded.events, amount = known.amount + excluded.amount
    """
)
_ITEMS = sa.text(
    """
    INSERT INTO projection.items AS known (partition, item, orders, quantity, amount)
    SELECT * FROM unnest(
        CAST(:partitions AS integer[]), CAST(:items AS text[]), CAST(:numbers AS bigint[]),
        CAST(:quantities AS bigint[]), CAST(:amounts AS numeric[])
    )
    ON CONFLICT (partition, item) DO UPDATE SET
        orders = known.orders + excluded.orders, quantity = known.quantity + excluded.quantity,
        amount = known.amount + excluded.amount
    """
)


def insert_versions(connection: sa.Connection, events: Iterable[Message]) -> list[Message]:
    """Enter events in the timeline; return those that are new there, each version of an order once."""
    first: dict[tuple[str, int], Message] = {}
    for message in events:
        assert message.event is not None
        first.setdefault((message.event.order_id, message.event.version), message)
    if not first:
        return []
    rows = [
        (order_id, version, m.event.status, m.event.time, m.partition, m.offset)
        for (order_id, version), m in sorted(first.items())
        if m.event is not None
    ]
    names = ("order_ids", "versions", "statuses", "times", "partitions", "offsets")
    taken = connection.execute(_TIMELINE, arrays(names, rows))
    return [first[row.order_id, row.version] for row in taken]


def lock_orders(connection: sa.Connection, latest: Mapping[str, OrderState]) -> dict[str, OrderState]:
    """Store the orders that nobody knows, return what is known of the others, and keep all of them from changing.

    latest: the highest version that is new of each order.
    """
    if not latest:
        return {}
    created = {row.order_id for row in connection.execute(_NEW_ORDERS, _orders(latest))}
    if len(created) == len(latest):
        return {}
    rows = connection.execute(_LOCK_ORDERS, {"order_ids": array(sorted(set(latest) - created))})
    return {row.order_id: OrderState(*row[1:]) for row in rows}


def write(connection: sa.Connection, changes: Changes, known: Mapping[str, OrderState]) -> None:
    """Write the changes. known: the orders that were there before; the others are stored already."""
    moved = {order_id: state for order_id, state in changes.orders.items() if order_id in known}
    if moved:
        connection.execute(_ORDERS, _orders(moved))
    totals = [(*key, count.number, count.amount) for key, count in sorted(changes.totals.items())]
    _put(connection, _TOTALS, ("partitions", "statuses", "numbers", "amounts"), totals)
    minutes = [(*key, count.number, count.amount) for key, count in sorted(changes.minutes.items())]
    _put(connection, _MINUTES, ("partitions", "minutes", "statuses", "numbers", "amounts"), minutes)
    items = [
        (*key, count.number, count.quantity, count.amount) for key, count in sorted(changes.items.items())
    ]
    _put(connection, _ITEMS, ("partitions", "items", "numbers", "quantities", "amounts"), items)


def _orders(states: Mapping[str, OrderState]) -> dict[str, str]:
    return arrays(_ORDER_COLUMNS, [(order_id, *state) for order_id, state in sorted(states.items())])


def _put(
    connection: sa.Connection, statement: sa.TextClause, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    if rows:
        connection.execute(statement, arrays(names, rows))
