"""The dispatcher's outbox in memory, held to what PostgreSQL does by outbox_contract.py."""

from collections.abc import Sequence

from sqlalchemy.exc import OperationalError

from producer.relay.outbox import DueEvent


class FakeOutbox:
    """A DispatchOutbox of the given due rows; `blocked` is how many wait behind an earlier version."""

    def __init__(self, *due: DueEvent, blocked: int = 0):
        self.due, self.blocked = list(due), blocked
        self.parked: dict[str, str] = {}
        self.held: list[str] = []
        self.expired_keys = 0
        self.is_down = False

    def claim(self, limit: int) -> tuple[list[DueEvent], int]:
        """Take up to `limit` due rows. Raises OperationalError while `is_down`."""
        if self.is_down:
            raise OperationalError("SELECT", {}, Exception("no answer"))
        claimed, self.due = self.due[:limit], self.due[limit:]
        return claimed, self.blocked

    def has_due(self) -> bool:
        """Return whether any row is due."""
        return bool(self.due)

    def park(self, event_id: str, reason: str) -> None:
        """Remember the reason."""
        self.parked[event_id] = reason

    def hold(self, ids: Sequence[str]) -> None:
        """Remember the ids."""
        self.held += ids

    def delete_expired_keys(self, limit: int) -> int:
        """Delete up to `limit` of `expired_keys`; return how many."""
        deleted = min(limit, self.expired_keys)
        self.expired_keys -= deleted
        return deleted
