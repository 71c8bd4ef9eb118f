"""The transaction of a request: the view opens it, and everything inside becomes visible together."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from producer.services import current_services


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit at the end of the block; roll back when an error leaves it."""
    with current_services().database.transaction() as session:
        yield session
