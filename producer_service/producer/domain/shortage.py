"""Whether PostgreSQL lacks what it needs to store something, such as room on its disk.

A read-only check does not see that: with a full disk PostgreSQL answers every question, and refuses every order. So
what counts is what became of the last order.
"""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext

# "Insufficient resources", such as 53100 for a full disk, and an error of input or output (PostgreSQL, appendix A).
CLASS_OF_RESOURCES, DISK_FULL, IO_ERROR = "53", "53100", "58030"
READS = ("SELECT", "SHOW")
# Without a further order, nobody knows whether it has ended.
KEPT_S = 30.0


class OutOfResources(Exception):
    """PostgreSQL has refused to store something, for want of a resource."""


class Shortage:
    """What PostgreSQL lacked when it was last asked to store something."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lacking: tuple[float, str] | None = None

    def watch(self, engine: sa.Engine) -> None:
        """Note the errors of an engine."""
        sa.event.listen(engine, "handle_error", self._note)

    def ends_with(self, engine: sa.Engine) -> None:
        """Take each statement of an engine that succeeds for the end of the shortage: it only stores orders."""
        sa.event.listen(engine, "after_cursor_execute", self._end)

    def require_none(self) -> None:
        """Raise OutOfResources with what is lacking."""
        lacking = self._lacking
        if lacking is not None and self._clock() - lacking[0] < KEPT_S:
            raise OutOfResources(lacking[1])

    def _note(self, context: ExceptionContext) -> None:
        if (context.statement or "").lstrip().upper().startswith(READS):
            return  # such as a read that needs too much room for a sort
        code = getattr(context.original_exception, "pgcode", None) or ""
        if code.startswith(CLASS_OF_RESOURCES) or code == IO_ERROR:
            said = str(context.original_exception).partition("\n")[0]
            self._lacking = self._clock(), "The database's disk is full." if code == DISK_FULL else said

    def _end(self, *arguments: Any) -> None:
        self._lacking = None
