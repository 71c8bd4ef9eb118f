"""The engine and its transactions: every wait for PostgreSQL has an end, and so has every transaction."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import Session

from producer.domain.query_deadline import bound_all_waits
from producer.domain.record import use_session

READ_ONLY_SQL_TRANSACTION = "25006"
HAS_TRANSACTION_TIMEOUT = 170000  # as libpq numbers versions

# If nothing comes from the other side for about half a minute, its machine or the network is gone.
_KEEPALIVE = {"idle": 10, "interval": 5, "count": 4}


def create_engine(url: sa.URL, pool_size: int, timeout_s: float, **options: Any) -> sa.Engine:
    """Return an engine that waits at most `timeout_s` seconds for a connection, a statement or a lock.

    options: more of SQLAlchemy's `create_engine`, such as isolation_level="AUTOCOMMIT". It connects at its
    first use.
    """
    bound_all_waits(2 * timeout_s)
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout_s,
        connect_args=_connect_args(timeout_s),
        **options,
    )
    sa.event.listen(engine, "connect", _TransactionTimeout(timeout_s))
    sa.event.listen(engine, "checkout", _drop_if_closed)
    sa.event.listen(engine, "handle_error", _drop_connections_to_a_standby)
    return engine


def _connect_args(timeout_s: float) -> dict[str, Any]:
    """Return libpq's settings. The session's own make the server end it when we are gone or frozen.

    A frozen process would keep its row locks, and its snapshot keeps VACUUM from cleaning up: its kernel still
    answers keepalives, so only a timeout of the transaction ends that.
    """
    session = {
        "timezone": "UTC",
        "statement_timeout": _ms(timeout_s),
        "idle_in_transaction_session_timeout": _ms(2 * timeout_s),
        **{f"tcp_keepalives_{name}": number for name, number in _KEEPALIVE.items()},
        "tcp_user_timeout": _ms(4 * timeout_s),
    }
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
        **{f"keepalives_{name}": number for name, number in _KEEPALIVE.items()},
        "tcp_user_timeout": _ms(2 * timeout_s),
    }


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


class _TransactionTimeout:
    """Limits the whole transaction on servers that can, from version 17.

    On older ones the limit is on the time between two statements. As an option of the connection the setting
    would make them refuse it.
    """

    def __init__(self, timeout_s: float):
        self._ms = _ms(3 * timeout_s)

    def __call__(self, connection: Any, record: Any) -> None:
        if connection.server_version >= HAS_TRANSACTION_TIMEOUT:
            with connection.cursor() as cursor:
                cursor.execute(f"SET transaction_timeout = {self._ms}")
            connection.commit()


def _drop_if_closed(connection: Any, record: Any, proxy: Any) -> None:
    """Replace a pooled connection that the server has closed, without a round trip to ask: nothing is to be read
    from a connection that is at rest, except its end.

    A new connection that is closed as well is an error of the database: SQLAlchemy's own would be one of the caller.
    """
    at_rest = select.poll()
    at_rest.register(connection.fileno(), select.POLLIN)
    is_replacement = record.record_info.pop("is_replacement", False)
    if at_rest.poll(0):
        if is_replacement:
            raise psycopg2.OperationalError("PostgreSQL closes new connections")
        record.record_info["is_replacement"] = True
        raise DisconnectionError


def _drop_connections_to_a_standby(context: ExceptionContext) -> None:
    """Treat "read-only" as a lost connection: the server was demoted, and the next connection may find another."""
    if getattr(context.original_exception, "pgcode", None) == READ_ONLY_SQL_TRANSACTION:
        context.is_disconnect = True


class ReadOnly(Exception):
    """The database takes no writes."""


class CommitUnknown(Exception):
    """The answer to a COMMIT was lost: the transaction may have been stored or not."""


class Database:
    """The engine of one process, and the transactions that records live in."""

    def __init__(self, url: sa.URL, pool_size: int, timeout_s: float):
        self.engine = create_engine(url, pool_size, timeout_s)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commit at the end of the block; roll back when an error leaves it.

        Raises CommitUnknown when the connection is lost during the COMMIT. With any other error nothing was
        stored.
        """
        with Session(self.engine, expire_on_commit=False) as session, use_session(session):
            yield session
            session.flush()
            try:
                session.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise CommitUnknown from error
                raise

    def require_writable(self) -> None:
        """Raise ReadOnly when the database takes no writes, SQLAlchemyError when it does not answer."""
        if self._is_read_only():
            self.engine.dispose()  # a new connection may find a server, or settings, that take writes
            if self._is_read_only():
                raise ReadOnly("The database is read-only.")

    def _is_read_only(self) -> bool:
        with self.engine.connect() as connection:
            return bool(connection.execute(sa.text("SHOW transaction_read_only")).scalar_one() == "on")
