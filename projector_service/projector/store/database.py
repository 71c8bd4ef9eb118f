"""The engine: every wait for PostgreSQL has an end, and so has every transaction, also that of a frozen process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, TimeoutError

from projector.store.query_deadline import bound_all_waits

LIVE = "projection"
"""The schema whose figures are answered. A rebuild works on a copy of it."""

_KEEPALIVE = {"idle": 10, "interval": 5, "count": 4}


class DatabaseUnavailable(Exception):
    """The database did not do it, and may later: it is away, or another transaction was in the way.

    Whether the transaction was committed is unknown; the stored positions tell.
    """


class Refused(Exception):
    """The database refuses what is in the messages, and will do so again."""


def create_engine(
    url: sa.URL, pool_size: int, timeout_s: float, pool_wait_s: float | None = None, schema: str = LIVE
) -> sa.Engine:
    """Return an engine that waits at most `timeout_s` seconds for a connection, a statement or a lock.

    pool_wait_s: for a connection while others of this process have all, if not as long.

    A process that is frozen within a transaction holds locks: the server ends it after twice that time. The engine
    connects at its first use. schema: that of a copy, to which all statements that name `projection` go instead.
    """
    bound_all_waits(2 * timeout_s)
    session = {
        "timezone": "UTC",
        "statement_timeout": _ms(timeout_s),
        "idle_in_transaction_session_timeout": _ms(2 * timeout_s),
        **{f"tcp_keepalives_{name}": number for name, number in _KEEPALIVE.items()},
        "tcp_user_timeout": _ms(4 * timeout_s),
    }
    arguments: dict[str, Any] = {
        "application_name": "projector",
        "connect_timeout": max(2, round(timeout_s)),
        "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
        **{f"keepalives_{name}": number for name, number in _KEEPALIVE.items()},
        "tcp_user_timeout": _ms(2 * timeout_s),
    }
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout_s if pool_wait_s is None else pool_wait_s,
        pool_pre_ping=True,
        connect_args=arguments,
    )
    if schema != LIVE:
        sa.event.listen(engine, "before_cursor_execute", _redirect(schema), retval=True)
    return engine


def _redirect(schema: str) -> Callable[..., tuple[str, Any]]:
    """Return a listener that makes statements about `projection` ones about a copy.

    Their values are no part of the statement yet. What is written with quotes, "projection", is the live one anyway.
    """

    def redirect(
        connection: sa.Connection,
        cursor: object,
        statement: str,
        parameters: Any,
        context: object,
        many: bool,
    ) -> tuple[str, Any]:
        return statement.replace(f"{LIVE}.", f"{schema}."), parameters

    return redirect


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Commit at the end of the block; roll back when an error leaves it. Raises DatabaseUnavailable, Refused."""
    with telling_errors(), engine.begin() as connection:
        yield connection


@contextmanager
def telling_errors() -> Iterator[None]:
    """Say of an error of the database what it means. Raises DatabaseUnavailable, Refused.

    Only what the server says of the values themselves is a refusal. All else may be cured without them: a missing
    right or table, too, is no fault of an event.
    """
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise Refused(_first_line(error)) from error
    except TimeoutError as error:
        raise DatabaseUnavailable("no connection was free in time") from error
    except (SQLAlchemyError, psycopg2.Error) as error:
        raise DatabaseUnavailable(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    """Return the first line of the server's own message, which holds no values of the row."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(cause).partition("\n")[0].strip() or type(cause).__name__


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
