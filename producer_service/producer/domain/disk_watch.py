"""Remember that the database had no room on its disk: it answers all questions then, and stores no order."""

import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext

from producer.domain.database import ReadOnly

DISK_FULL = "53100"
# Without an order nobody knows whether there is room again; the next one finds out.
REMEMBERED_S = 10.0


class DiskWatch:
    """Hears of every error of the engines it watches."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._full_at = float("-inf")

    def watch(self, engine: sa.Engine) -> sa.Engine:
        """Listen to an engine's errors; return the engine."""
        sa.event.listen(engine, "handle_error", self.notice)
        return engine

    def notice(self, context: ExceptionContext) -> None:
        """Take note of an error if it says that the disk is full."""
        if getattr(context.original_exception, "pgcode", None) == DISK_FULL:
            self._full_at = self._clock()

    def require_room(self) -> None:
        """Raise ReadOnly when a statement has failed for want of room a moment ago."""
        if self._clock() - self._full_at < REMEMBERED_S:
            raise ReadOnly("The database's disk is full.")
