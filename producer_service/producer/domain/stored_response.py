"""What an Idempotency-Key was used for, and what was answered."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from producer.domain.record import TIMESTAMP, Record


@dataclass(frozen=True)
class KeyedResponse:
    """What is stored for an Idempotency-Key together with the orders: a StoredResponse that is not stored yet."""

    key: str
    fingerprint: bytes
    status: int
    location: str | None
    body: bytes
    expires_at: datetime


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
    def find_unexpired(cls, key: str) -> Self | None:
        """Return the response stored for this key, or None.

        The key is not locked (see store_statement.py): looking must not keep the request that is to store it from
        doing so.
        """
        stored = cls.find(key)
        return stored if stored is not None and stored.expires_at > datetime.now(UTC) else None
