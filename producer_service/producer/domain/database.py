"""The engine and its transactions: every wait for PostgreSQL has an end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from producer.domain.query_deadline import bound_all_waits
from producer.domain.record import use_session


def create_engine(url: sa.URL, pool_size: int, timeout_s: float, **options: Any) -> sa.Engine:
    """Return an engine that waits at most `timeout_s` seconds for a connection, a statement or a lock.

    options: more of SQLAlchemy's `create_engine`, such as isolation_level="AUTOCOMMIT". It connects at its
    first use.
    """
    bound_all_waits(2 * timeout_s)
    return sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout_s,
        connect_args={"options": f"-c statement_timeout={int(timeout_s * 1000)} -c timezone=UTC"},
        **options,
    )


class Database:
    """The engine of one process, and the transactions that records live in."""

    def __init__(self, url: sa.URL, pool_size: int, timeout_s: float):
        self.engine = create_engine(url, pool_size, timeout_s, pool_pre_ping=True)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commit at the end of the block; roll back when an error leaves it."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin(), use_session(session):
            yield session
