"""What was decided about dead letters of the live read models while a copy was being made, done in the copy as well.

The statements go to a copy. With quotes, "projection" is the live one (`store/database.py`).
"""

import sqlalchemy as sa

from projector.store import decisions
from projector.store.database import Refused, transaction
from projector.store.decisions import NotParked

PAGE = 10_000

# No more at once than a statement has time for.
_DISCARD = sa.text(
    """
    UPDATE projection.dead_letters AS known SET discarded_at = found.discarded_at
    FROM (
        SELECT new.id, old.discarded_at
        FROM "projection".dead_letters AS old JOIN projection.dead_letters AS new
            ON (old.topic_id, old.partition, old."offset") = (new.topic_id, new.partition, new."offset")
        WHERE old.discarded_at IS NOT NULL AND new.discarded_at IS NULL
            AND (old.key, old.value) IS NOT DISTINCT FROM (new.key, new.value)
        LIMIT :limit
    ) AS found
    WHERE known.id = found.id
    """
)
# The first of each order that is parked in the copy alone, and messages of no order that are.
_LOOSE = sa.text(
    """
    SELECT min(new.id) AS id FROM projection.dead_letters AS new
    WHERE new.discarded_at IS NULL
        AND NOT EXISTS (
            SELECT FROM "projection".dead_letters AS old
            WHERE old.order_id = new.order_id AND old.discarded_at IS NULL
        )
        AND NOT EXISTS (
            SELECT FROM "projection".dead_letters AS old
            WHERE (old.topic_id, old.partition, old."offset") = (new.topic_id, new.partition, new."offset")
                AND old.discarded_at IS NULL
        )
    GROUP BY coalesce(new.order_id::text, new.id::text) ORDER BY 1
    """
)


class Settling:
    """Follows decisions, any number of times. What cannot be applied in the copy is tried once, and stays parked."""

    def __init__(self, engine: sa.Engine) -> None:
        """engine: of the copy."""
        self._engine = engine
        self._stuck: set[int] = set()

    def settle(self) -> None:
        """Discard what was discarded, and apply what was released. Raises DatabaseUnavailable."""
        while self._discard() == PAGE:
            pass
        with transaction(self._engine) as connection:
            loose = set(connection.execute(_LOOSE).scalars())
        for letter_id in sorted(loose - self._stuck):
            if not self._apply(letter_id):
                self._stuck.add(letter_id)

    def _discard(self) -> int:
        with transaction(self._engine) as connection:
            return connection.execute(_DISCARD, {"limit": PAGE}).rowcount

    def _apply(self, letter_id: int) -> bool:
        try:
            return decisions.requeue(self._engine, letter_id).still_parked == 0
        except (NotParked, Refused):
            return False
