"""Active Record: the base class of the models, the session and the transaction.

`create / find / where / save / delete` flush and never commit: whoever opened `transaction()` decides when
all of it becomes true, so an order and its outbox row can only appear together.
"""

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

import psycopg2
import sqlalchemy as sa
from flask import current_app
from psycopg2 import extensions
from sqlalchemy.orm import DeclarativeBase, Session

TIMESTAMP = sa.DateTime(timezone=True)

_session: ContextVar[Session] = ContextVar("session")


def current_session() -> Session:
    """The session of the transaction that is open; LookupError where none is."""
    return _session.get()


class Record(DeclarativeBase):
    """A row that knows how to store and find itself, within the transaction that is open."""

    # INSERT and UPDATE return what the database computed, so no attribute needs a second query.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012

    @classmethod
    def create(cls, **values: Any) -> Self:
        return cls(**values).save()

    @classmethod
    def create_all(cls, records: list[Self]) -> list[Self]:
        """One INSERT for many rows."""
        current_session().add_all(records)
        current_session().flush()
        return records

    @classmethod
    def find(cls, key: Any) -> Self | None:
        return current_session().get(cls, key)

    @classmethod
    def where(
        cls, *conditions: sa.ColumnElement[bool], order_by: Any = None, limit: int | None = None
    ) -> list[Self]:
        query = sa.select(cls).where(*conditions).order_by(order_by).limit(limit)
        return list(current_session().scalars(query))

    def save(self) -> Self:
        current_session().add(self)
        current_session().flush()
        return self

    def delete(self) -> None:
        current_session().delete(self)
        current_session().flush()


class Database:
    """The engine and its transactions. Connects at the first use, not before."""

    def __init__(self, url: sa.URL, pool_size: int, timeout_s: float):
        self.engine = connect(url, pool_size, timeout_s, pool_pre_ping=True)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            token = _session.set(session)
            try:
                yield session
            finally:
                _session.reset(token)


@contextmanager
def transaction() -> Iterator[Session]:
    """Commits at the end, rolls back when an error leaves it."""
    database: Database = current_app.extensions["database"]
    with database.transaction() as session:
        yield session


def connect(url: sa.URL, pool_size: int, timeout_s: float, **options: Any) -> sa.Engine:
    """An engine on which every wait ends: for a pooled connection, for a statement, for a lock.

    options: more of `create_engine`, such as isolation_level="AUTOCOMMIT".
    """
    extensions.set_wait_callback(_Deadline(2 * timeout_s))
    return sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout_s,
        connect_args={"options": f"-c statement_timeout={int(timeout_s * 1000)} -c timezone=UTC"},
        **options,
    )


class _Deadline:
    """psycopg2's way to wait for the server, with an end.

    libpq itself waits for an answer for ever: a server that was frozen, or a network that swallows packets,
    would hold the thread. psycopg2 lets one function do all waiting of a process; when it raises, the
    connection is closed and SQLAlchemy drops it from the pool. The server's own statement_timeout is the
    first line; this is for a server that cannot answer at all.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds

    def __call__(self, connection: Any) -> None:
        end = time.monotonic() + self.seconds
        while (state := connection.poll()) != extensions.POLL_OK:
            reading = [connection.fileno()] if state == extensions.POLL_READ else []
            writing = [connection.fileno()] if state == extensions.POLL_WRITE else []
            left = end - time.monotonic()
            if left <= 0 or not any(select.select(reading, writing, [], left)):
                raise psycopg2.OperationalError(f"PostgreSQL gave no answer within {self.seconds:g} s")
