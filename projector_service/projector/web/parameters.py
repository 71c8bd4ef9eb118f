"""The parameters of a query."""

from flask import Request
from werkzeug.exceptions import BadRequest

from projector.web.errors import invalid_parameter


def read_number(request: Request, name: str, default: int, most: int) -> int:
    """Return a parameter that is a number from 1 to `most`. Raises InvalidParameter, BadRequest (400)."""
    try:
        text = request.args.get(name)
    except UnicodeDecodeError as error:  # a raw byte; what is percent-encoded is replaced by U+FFFD
        raise BadRequest(f"The query is not UTF-8: byte {error.start} is wrong.") from error
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise invalid_parameter(name, f"must be a number from 1 to {most}")
    return int(text)
