"""The parameters and the cursor of a list of orders."""

import base64
import binascii
from uuid import UUID

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from producer.domain.status import Status
from producer.web.errors import invalid_field

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


def read_parameters(request: Request) -> MultiDict[str, str]:
    """Return the parameters of the query. Raises BadRequest (400)."""
    try:
        return request.args
    except UnicodeDecodeError as error:  # a raw byte; what is percent-encoded is replaced by U+FFFD
        raise BadRequest(f"The query is not UTF-8: byte {error.start} is wrong.") from error


def read_limit(text: str | None) -> int:
    """Return the page size. Raises InvalidFields (422)."""
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise invalid_field("/limit", f"must be a number from 1 to {MAX_LIMIT}")
    return int(text)


def read_status(text: str | None) -> Status | None:
    """Return the status to filter by. Raises InvalidFields (422)."""
    if text is None:
        return None
    try:
        return Status(text)
    except ValueError as error:
        raise invalid_field("/status", f"must be one of {', '.join(Status)}") from error


def read_cursor(text: str | None) -> UUID | None:
    """Return the id of the last order of the previous page. Raises InvalidFields (400)."""
    if text is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(text + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise invalid_field(
            "/after", "must be a cursor that an earlier response gave as next", 400
        ) from error


def write_cursor(order_id: UUID) -> str:
    """Return the cursor of the page that follows this order."""
    return base64.urlsafe_b64encode(order_id.bytes).decode().rstrip("=")
