"""Idempotency-Key: the same request twice makes one order (draft-ietf-httpapi-idempotency-key-header-07).

The key, what it was used for and the response are stored in the order's own transaction: either all of it is
there, or a retry starts afresh. A second request while the first one runs is told to come back.

There are no accounts, so a key stands for itself, whoever sends it: clients make it up at random, with 128 bits
or more.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta

from flask import Response
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, Conflict, UnprocessableEntity

from producer.domain.stored_response import KeyedResponse, StoredResponse

KEPT = timedelta(hours=24)
# A quoted string, as the draft has it, or the bare text that most clients send.
_KEY = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


class RequestInProgress(Conflict):
    """Another request with this Idempotency-Key has not ended yet."""

    description = "A request with this Idempotency-Key is still running."

    def get_headers(self, *args: object, **kwargs: object) -> list[tuple[str, str]]:
        return [*super().get_headers(), ("Retry-After", "1")]


class IdempotentRequest:
    """A request that may be repeated. Without the header nothing is stored."""

    def __init__(self, method: str, path: str, header: str | None, body: BaseModel):
        """Read the header. Raises BadRequest when it is malformed."""
        self._key = None if header is None else _read_key(header)
        self._fingerprint = b""
        if self._key is not None:
            text = f"{method} {path}\n{body.model_dump_json()}"
            self._fingerprint = hashlib.sha256(text.encode()).digest()

    @property
    def has_key(self) -> bool:
        """Whether the request may be repeated."""
        return self._key is not None

    def earlier_response(self) -> Response | None:
        """Return the response given before, within the open transaction.

        Raises UnprocessableEntity (422) when the key was used for another request.
        """
        if self._key is None:
            return None
        stored = StoredResponse.find_unexpired(self._key)
        if stored is None:
            return None
        if stored.fingerprint != self._fingerprint:
            raise UnprocessableEntity("This Idempotency-Key was used for another request.")
        response = Response(stored.body, stored.status, mimetype="application/json")
        if stored.location is not None:
            response.headers["Location"] = stored.location
        return response

    def to_store(self, status: int, location: str | None, body: bytes) -> KeyedResponse | None:
        """Return what is to be stored with the orders, for a repetition of this request."""
        if self._key is None:
            return None
        return KeyedResponse(
            self._key,
            fingerprint=self._fingerprint,
            status=status,
            location=location,
            body=body,
            expires_at=datetime.now(UTC) + KEPT,
        )


def _read_key(header: str) -> str:
    if (match := _KEY.fullmatch(header.strip())) is None:
        raise BadRequest("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    key: str = match[1] or match[2]
    return key
