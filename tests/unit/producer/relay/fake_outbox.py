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
        self.held_for_s: list[float] = []
        self.retried: dict[str, float] = {}
        self.expired_keys = self.far_ahead = 0
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

    def hold(self, ids: Sequence[str], for_s: float) -> None:
        """Remember the ids, and for how long."""
        self.held += ids
        self.held_for_s.append(for_s)

    def retry(self, ids: Sequence[str], after_s: float) -> None:
        """Remember after how long each is due again."""
        self.retried |= dict.fromkeys(ids, after_s)

    def pull_in(self, limit: int) -> int:
        """Make up to `limit` of `far_ahead` rows due; return how many."""
        pulled_in = min(limit, self.far_ahead)
        self.far_ahead -= pulled_in
        return pulled_in

    def delete_expired_keys(self, limit: int) -> int:
        """Delete up to `limit` of `expired_keys`; return how many."""
        deleted = min(limit, self.expired_keys)
        self.expired_keys -= deleted
        return deleted
