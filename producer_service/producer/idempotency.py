"""Idempotency-Key: the same request twice makes one order (draft-ietf-httpapi-idempotency-key-header-07).

The key, what it was used for and the answer are stored in the order's own transaction: either all of it is
there, or a retry starts afresh. A second request while the first one runs would block on the key's row, so
a lock is tried first and the second one is told to come back.

There are no accounts here, so a key stands for itself, whoever sends it: a client makes it up at random,
128 bits of it or more.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from flask import Request, Response
from pydantic import BaseModel
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from producer.errors import Problem
from producer.record import TIMESTAMP, Record, current_session

KEPT = timedelta(hours=24)
# A quoted string, as the draft has it, or the bare text that most clients send.
_KEY = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


class StoredAnswer(Record):
    """What a key was used for, and what was answered."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.Index("idempotency_keys_expires_at", "expires_at"),)

    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary)
    status: Mapped[int]
    location: Mapped[str | None] = mapped_column(sa.Text)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(TIMESTAMP)

    def response(self) -> Response:
        answer = Response(self.body, self.status, mimetype="application/json")
        if self.location is not None:
            answer.headers["Location"] = self.location
        return answer


class Once:
    """A request that may be repeated. Without the header nothing is kept."""

    def __init__(self, request: Request, body: BaseModel):
        self._key = _read_key(request)
        text = f"{request.method} {request.path}\n{body.model_dump_json()}"
        self._fingerprint = hashlib.sha256(text.encode()).digest()

    def answered(self) -> Response | None:
        """The answer that was given before. Problem 409 while the first is running, 422 for another body."""
        if self._key is None:
            return None
        lock = sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(self._key, 0))
        if not current_session().scalar(sa.select(lock)):
            detail = "a request with this Idempotency-Key is still running"
            raise Problem(409, detail, headers={"Retry-After": "1"})
        stored = StoredAnswer.find(self._key)
        if stored is None or stored.expires_at <= datetime.now(UTC):
            return None
        if stored.fingerprint != self._fingerprint:
            raise Problem(422, "this Idempotency-Key was used for another request")
        return stored.response()

    def keep(self, answer: Response) -> None:
        if self._key is None:
            return
        values = {
            "key": self._key,
            "fingerprint": self._fingerprint,
            "status": answer.status_code,
            "location": answer.headers.get("Location"),
            "body": answer.get_data(),
            "expires_at": datetime.now(UTC) + KEPT,
        }
        insert = postgresql.insert(StoredAnswer).values(values)
        # One that has expired makes way.
        current_session().execute(insert.on_conflict_do_update(index_elements=["key"], set_=values))


def _read_key(request: Request) -> str | None:
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    if (match := _KEY.fullmatch(text.strip())) is None:
        raise Problem(400, "Idempotency-Key must be 1 to 255 printable ASCII characters")
    key: str = match[1] or match[2]
    return key
