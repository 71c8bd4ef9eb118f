"""Orders of which Kafka no longer has the latest event: their present state is taken from the table of orders.

Only figures of the present follow from it: totals and items. How and when an order came to be as it is, only its events
tell: the minutes and the timeline hold those that were read.
"""

import sqlalchemy as sa

from projector.readmodel.changes import OrderState, raised
from projector.store import dead_letters, tables
from projector.store.database import transaction

PAGE = 2000

_PAGE = sa.text(
    """
    SELECT id::text, version, status, item, quantity, total FROM rebuild.orders
    WHERE id > CAST(:after AS uuid) ORDER BY id LIMIT :limit
    """
)


def seed_page(engine: sa.Engine, after: str, limit: int = PAGE) -> tuple[str | None, int]:
    """Look through a page of orders behind this id; return its last id, None at the end, and how many were seeded.

    An order that has a parked message is left as its events made it. Raises DatabaseUnavailable, Refused.
    """
    with transaction(engine) as connection:
        rows = connection.execute(_PAGE, {"after": after, "limit": limit}).all()
        states = {row.id: OrderState(*row[1:]) for row in rows}
        for order_id in dead_letters.parked_orders(connection, set(states)):
            del states[order_id]
        known = tables.lock_orders(connection, states)
        missing = {
            order_id: state
            for order_id, state in states.items()
            if order_id not in known or known[order_id].version < state.version
        }
        tables.write(connection, raised(missing, known), known)
        return (rows[-1].id if len(rows) == limit else None), len(missing)
