"""What an Idempotency-Key was used for, and what was answered."""

from datetime import UTC, datetime
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from producer.domain.record import TIMESTAMP, Record, current_session


class StoredResponse(Record):
    """The response to the first request with a key, stored in that request's own transaction."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.Index("idempotency_keys_expires_at", "expires_at"),)

    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary)
    status: Mapped[int]
    location: Mapped[str | None] = mapped_column(sa.Text)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(TIMESTAMP)

    @classmethod
    def try_lock(cls, key: str) -> bool:
        """Reserve the key until the transaction ends; return False while another request holds it.

        A second INSERT of an uncommitted key would block until the first request ends.
        """
        lock = sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(key, 0))
        return bool(current_session().scalar(sa.select(lock)))

    @classmethod
    def find_unexpired(cls, key: str) -> Self | None:
        """Return the response stored for this key, or None."""
        stored = cls.find(key)
        return stored if stored is not None and stored.expires_at > datetime.now(UTC) else None
