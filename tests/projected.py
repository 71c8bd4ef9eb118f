"""The projector's read models beside the table of orders that they are about: where do they differ?"""

from collections.abc import Callable, Sequence
from typing import Any

Query = Callable[[str], Sequence[tuple[Any, ...]]]
NAMED = 5

_ORDERS = "SELECT status, count(*)::bigint, sum(total)::text FROM orders GROUP BY 1 ORDER BY 1"
_TOTALS = (
    "SELECT status, sum(orders)::bigint, sum(amount)::text FROM projection.totals"
    " GROUP BY 1 HAVING sum(orders) <> 0 OR sum(amount) <> 0 ORDER BY 1"
)
_SOLD = (
    "SELECT item, count(*)::bigint, sum(quantity)::bigint, sum(total)::text FROM orders"
    " WHERE status <> 'cancelled' GROUP BY 1 ORDER BY 1"
)
_ITEMS = (
    "SELECT item, sum(orders)::bigint, sum(quantity)::bigint, sum(amount)::text FROM projection.items"
    " GROUP BY 1 HAVING sum(orders) <> 0 OR sum(amount) <> 0 ORDER BY 1"
)
_CHANGES = "SELECT coalesce(sum(version), 0)::bigint FROM orders"
_EVENTS = "SELECT coalesce(sum(events), 0)::bigint FROM projection.positions"
_MINUTES = "SELECT coalesce(sum(events), 0)::bigint FROM projection.minutes"
_OTHER_STATES = """
    SELECT id::text FROM orders LEFT JOIN projection.orders AS known ON known.order_id = orders.id
    WHERE (known.version, known.status, known.item, known.quantity, known.total)
        IS DISTINCT FROM (orders.version, orders.status, orders.item, orders.quantity, orders.total)
"""
# Each version once, from the first to the present one, which has the present status.
_OTHER_TIMELINES = """
    SELECT id::text FROM orders LEFT JOIN (
        SELECT order_id, array_agg(version ORDER BY version) AS versions,
               (array_agg(status ORDER BY version DESC))[1] AS last
        FROM projection.timeline GROUP BY 1
    ) AS known ON known.order_id = orders.id
    WHERE known.last IS DISTINCT FROM orders.status
        OR known.versions <> (SELECT array_agg(number::bigint) FROM generate_series(1, orders.version) AS number)
"""
_NEVER_ORDERED = """
    SELECT order_id::text FROM projection.timeline
    WHERE NOT EXISTS (SELECT FROM orders WHERE id = order_id AND orders.version >= timeline.version)
"""


def differences(query: Query) -> list[str]:
    """Return what the read models say otherwise than the orders do. query: runs a statement, returns its rows."""
    found = []
    for what, expected, counted in (
        ("the totals", _ORDERS, _TOTALS),
        ("the items", _SOLD, _ITEMS),
        ("the events", _CHANGES, _EVENTS),
        ("the minutes' events", _CHANGES, _MINUTES),
    ):
        there, here = [[tuple(row) for row in query(each)] for each in (expected, counted)]
        if there != here:
            found.append(f"{what} are {here}, but the orders add up to {there}")
    for what, statement in (
        ("orders are in another state in the read models", _OTHER_STATES),
        ("orders have another timeline", _OTHER_TIMELINES),
        ("versions in the timeline were never ordered", _NEVER_ORDERED),
    ):
        if rows := query(statement):
            found.append(f"{len(rows)} {what}, such as {[row[0] for row in rows[:NAMED]]}")
    return found
