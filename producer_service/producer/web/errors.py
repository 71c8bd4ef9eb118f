"""Every error as `application/problem+json` (RFC 9457), saying which field it is about.

Views raise werkzeug's own exceptions, or `InvalidFields` where a field or parameter is to blame.
"""

import logging
from http import HTTPStatus

from flask import Flask, Response, request
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import (
    Conflict,
    HTTPException,
    InternalServerError,
    ServiceUnavailable,
)

from producer.cached import Overdue
from producer.domain.database import CommitUnknown
from producer.domain.group_commit import NotTaken
from producer.domain.status import InvalidTransition
from producer.web import responses
from producer.web.responses import FieldError, json_response

logger = logging.getLogger(__name__)
RETRY_AFTER_S = 2
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
KEPT_HEADERS = ("Allow", "Retry-After", "Location")


class InvalidFields(HTTPException):
    """Fields of the body or parameters are wrong."""

    code = 422

    def __init__(self, detail: str, errors: list[FieldError], code: int = 422):
        super().__init__(detail)
        self.errors, self.code = errors, code


def invalid_field(pointer: str, detail: str, code: int = 422) -> InvalidFields:
    """Return the error about one field or parameter. pointer: `/name`; detail: "must be …"."""
    return InvalidFields(f"{pointer[1:]} {detail}.", [FieldError(pointer=pointer, detail=detail)], code)


def init_app(app: Flask) -> None:
    """Answer every error with a problem document."""
    app.register_error_handler(HTTPException, _problem)
    app.register_error_handler(InvalidTransition, lambda error: _problem(Conflict(str(error))))
    app.register_error_handler(ValidationError, _invalid_body)
    app.register_error_handler(OperationalError, _database_unavailable)
    app.register_error_handler(InterfaceError, _database_unavailable)
    app.register_error_handler(PoolTimeout, _database_unavailable)
    app.register_error_handler(NotTaken, _database_unavailable)
    app.register_error_handler(Overdue, _database_unavailable)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(CommitUnknown, _commit_unknown)
    app.register_error_handler(Exception, _unexpected)


def _problem(error: HTTPException) -> Response:
    status = error.code or 500
    body = responses.Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.description or error.name,
        **({"errors": error.errors} if isinstance(error, InvalidFields) else {}),
    )
    response = json_response(body, status, "application/problem+json")
    kept = {name: value for name, value in error.get_response().headers if name in KEPT_HEADERS}
    response.headers.update(kept)
    return response


def _invalid_body(error: ValidationError) -> Response:
    details = [
        FieldError(pointer=json_pointer(each["loc"]), detail=_sentence(each))
        for each in error.errors(include_url=False)
    ]
    return _problem(InvalidFields("The body is not valid; see errors.", details))


def json_pointer(location: tuple[int | str, ...]) -> str:
    """Return the JSON pointer (RFC 6901) of a place in the body."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


# By pydantic's error types. Its own messages are for programmers; these stand beside a field of a form.
_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} {units}",
    "too_long": "must have at most {max_length} {units}",
    "model_type": "must be an object",
}


def _sentence(error: ErrorDetails) -> str:
    message = _MESSAGES.get(error["type"])
    if message is None:
        return error["msg"].removeprefix("Value error, ")
    units = "characters" if isinstance(error["input"], str) else "entries"
    return message.format(units=units, **error.get("ctx", {}))


def _database_unavailable(error: Exception) -> Response:
    """Answer that nothing was stored: true before the COMMIT, which `_commit_unknown` is for."""
    logger.warning("The database does not answer: %s", _first_line(error))
    detail = "The database does not answer; nothing was stored. Try again."
    return _problem(ServiceUnavailable(detail, retry_after=RETRY_AFTER_S))


def _commit_unknown(error: CommitUnknown) -> Response:
    logger.warning("The answer to a COMMIT was lost: %s", _first_line(error.__cause__ or error))
    detail = "The database does not answer. Try again."
    if request.method not in SAFE_METHODS:
        detail = (
            "The database did not confirm that it stored this, but it may have been stored. "
            "Repeat the request with the same Idempotency-Key; without one, look before you repeat it."
        )
    return _problem(ServiceUnavailable(detail, retry_after=RETRY_AFTER_S))


def _first_line(error: BaseException) -> str:
    """Return the first line of the error's text, or its name when it has none."""
    return str(error).partition("\n")[0] or type(error).__name__


def _database_error(error: DBAPIError) -> Response:
    return _database_unavailable(error) if error.connection_invalidated else _unexpected(error)


def _unexpected(error: Exception) -> Response:
    logger.error("A request ended in an unexpected error", exc_info=error)
    return _problem(InternalServerError("Internal server error; details are in the server log."))
