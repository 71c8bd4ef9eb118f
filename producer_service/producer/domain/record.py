"""Active Record: the base class of the models, and the session they work in.

`find`, `where` and `save` flush and never commit. Whoever opened the transaction
(`Database.transaction`) decides when everything becomes visible, so an order and its outbox row can only
appear together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session

TIMESTAMP = sa.DateTime(timezone=True)

_session: ContextVar[Session] = ContextVar("session")


def current_session() -> Session:
    """Return the session of the open transaction. Raises LookupError when there is none."""
    return _session.get()


@contextmanager
def use_session(session: Session) -> Iterator[None]:
    """Make `session` the current one for the records used inside the block."""
    token = _session.set(session)
    try:
        yield
    finally:
        _session.reset(token)


class Record(DeclarativeBase):
    """A row that stores and finds itself within the open transaction."""

    # INSERT and UPDATE return the values the database computed, so no attribute needs a second query.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012

    @classmethod
    def find(cls, key: Any) -> Self | None:
        """Return the record with this primary key, or None."""
        return current_session().get(cls, key)

    @classmethod
    def where(
        cls, *conditions: sa.ColumnElement[bool], order_by: Any = None, limit: int | None = None
    ) -> list[Self]:
        """Return the records that meet all conditions."""
        query = sa.select(cls).where(*conditions).order_by(order_by).limit(limit)
        return list(current_session().scalars(query))

    def save(self) -> Self:
        """Send this record's changes to the database."""
        current_session().add(self)
        current_session().flush()
        return self
