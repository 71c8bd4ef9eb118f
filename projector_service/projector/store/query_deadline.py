"""A deadline for every wait of psycopg2, also for a server that cannot answer at all.

libpq waits for an answer for ever: a frozen server, or a network that swallows packets, would hold the thread.
PostgreSQL's own statement_timeout is the first line of defence; this is the second. psycopg2 lets one function
do all the waiting of a process. When that function raises, the connection is closed and SQLAlchemy drops it
from its pool.
"""

import select
import time
from typing import Any

import psycopg2
from psycopg2 import extensions

# poll() and not select(), which fails for descriptors above 1,023.
_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}


def bound_all_waits(seconds: float) -> None:
    """Make every wait of this process for PostgreSQL end after `seconds`, with psycopg2.OperationalError."""
    extensions.set_wait_callback(QueryDeadline(seconds))


class QueryDeadline:
    """Waits for the server's answer. Raises psycopg2.OperationalError after `seconds`."""

    def __init__(self, seconds: float):
        self.seconds = seconds

    def __call__(self, connection: Any) -> None:
        end = time.monotonic() + self.seconds
        while (state := connection.poll()) != extensions.POLL_OK:
            waiter = select.poll()
            waiter.register(connection.fileno(), _EVENTS[state])
            left = end - time.monotonic()
            if left <= 0 or not waiter.poll(left * 1000):
                raise psycopg2.OperationalError(f"PostgreSQL gave no answer within {self.seconds:g} s")
