"""Copies of the read models, in schemas of their own: made empty, dropped, and put in the place of the live ones.

The functions of the schema `rebuild` do it (db/versions/0008_rebuild.py and 0010_rebuild_again.py), as this role may
create and drop nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import sqlalchemy as sa
from psycopg2 import errorcodes
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from projector.store.database import DatabaseUnavailable, telling_errors, transaction

NEXT, REPLAY = "projection_next_", "projection_replay_"
"""What the names of copies begin with: of those that are to take the place of the live one, and of all others."""

_PARTIAL = "_partial"
_LOCK = 6_001_007  # arbitrary, but not the number of any lock of the migrator's
_CREATE = sa.text("SELECT rebuild.create_copy(:name)")
_DROP = sa.text("SELECT rebuild.drop_copy(:name)")
_SWAP = sa.text("SELECT rebuild.swap(:name)")
_FINISH = sa.text("SELECT rebuild.finish(:name)")
_NAMES = sa.text("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, :beginning) ORDER BY nspname")
_NUMBER = sa.text("SELECT to_regnamespace(:name)::oid::bigint")
_TURN = sa.text("SELECT pg_try_advisory_lock(:lock)")
_LOCK_TIMEOUT = sa.text("SELECT set_config('lock_timeout', :milliseconds, true)")
_HOLD_WRITERS = sa.text("LOCK TABLE projection.positions IN EXCLUSIVE MODE")
# These will not be otherwise at the next attempt.
_FINAL = {errorcodes.OBJECT_NOT_IN_PREREQUISITE_STATE, errorcodes.DEPENDENT_OBJECTS_STILL_EXIST}


class AnotherRebuild(Exception):
    """Another rebuild is running."""


class CannotSwap(Exception):
    """The copy cannot take the place of the live read models, now or later."""


def create(engine: sa.Engine, name: str) -> int:
    """Create an empty copy, and return the number that its schema keeps under any name. Raises DatabaseUnavailable."""
    with transaction(engine) as connection:
        connection.execute(_CREATE, {"name": name})
        return int(connection.execute(_NUMBER, {"name": name}).scalar_one())


def drop(engine: sa.Engine, name: str) -> None:
    """Drop a copy, if there is one of this name. Raises DatabaseUnavailable."""
    with transaction(engine) as connection:
        connection.execute(_DROP, {"name": name})


def partial_name(name: str) -> str:
    """Return the name that the copy of a span has until it is finished."""
    return f"{name}{_PARTIAL}"


def is_partial(name: str) -> bool:
    """Return whether a copy of this name is unfinished."""
    return name.endswith(_PARTIAL)


def finish(engine: sa.Engine, name: str) -> None:
    """Give the copy of a span, in which everything now is, its own name. Raises DatabaseUnavailable."""
    with transaction(engine) as connection:
        connection.execute(_FINISH, {"name": partial_name(name)})


def names(engine: sa.Engine, beginning: str) -> list[str]:
    """Return the names of the copies that begin like this. Raises DatabaseUnavailable."""
    with transaction(engine) as connection:
        return list(connection.execute(_NAMES, {"beginning": beginning}).scalars())


def number_of(engine: sa.Engine, name: str) -> int | None:
    """Return the number of the schema that has this name now, None when there is none. Raises DatabaseUnavailable."""
    with transaction(engine) as connection:
        found = connection.execute(_NUMBER, {"name": name}).scalar_one()
        return None if found is None else int(found)


class Turn:
    """The right to rebuild, which one process has at a time. It is the connection's, so it ends with the process."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connection: sa.Connection | None = None

    def take(self) -> None:
        """Take it, also anew after the connection was lost. Raises AnotherRebuild, DatabaseUnavailable."""
        self.release()
        with telling_errors():
            self._connection = self._engine.connect()
            taken = self._connection.execute(_TURN, {"lock": _LOCK}).scalar_one()
            self._connection.commit()
        if not taken:
            self.release()
            raise AnotherRebuild

    def release(self) -> None:
        """Give it back by closing the connection, if there is one."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
        self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Run a transaction on the connection itself, or on a new one. Raises DatabaseUnavailable.

        The server may find out late that a connection was lost, and until then it is that one that has the turn.
        """
        if self._connection is None:
            try:
                self.take()
            except AnotherRebuild as error:
                raise DatabaseUnavailable("the connection that was lost still has the turn") from error
        assert self._connection is not None
        try:
            with telling_errors(), self._connection.begin():
                yield self._connection
        except DatabaseUnavailable as error:
            if isinstance(error.__cause__, DBAPIError) and not error.__cause__.connection_invalidated:
                raise
            self.release()
            raise


def hold_writers(connection: sa.Connection, within_s: float) -> None:
    """Keep batches and decisions from the live read models until the transaction ends; they can still be read."""
    _wait_at_most(connection, within_s)
    connection.execute(_HOLD_WRITERS)


def swap(connection: sa.Connection, name: str, within_s: float) -> None:
    """Put a copy in the place of the live read models, which are dropped. Raises CannotSwap.

    within_s: how long it may wait for those who are reading; all who come meanwhile wait, too.
    """
    _wait_at_most(connection, within_s)
    try:
        connection.execute(_SWAP, {"name": name})
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        if isinstance(cause, psycopg2.Error) and cause.pgcode in _FINAL:
            raise CannotSwap(str(cause).partition("\n")[0]) from error
        raise


def _wait_at_most(connection: sa.Connection, seconds: float) -> None:
    connection.execute(_LOCK_TIMEOUT, {"milliseconds": str(round(seconds * 1000))})
