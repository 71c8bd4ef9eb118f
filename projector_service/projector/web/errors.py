"""Every error as `application/problem+json` (RFC 9457), saying which parameter it is about.

Views raise werkzeug's own exceptions, or `invalid_parameter`.
"""

import logging
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError, ServiceUnavailable

from projector.store.database import DatabaseUnavailable
from projector.web import responses
from projector.web.responses import FieldError, json_response

logger = logging.getLogger(__name__)
RETRY_AFTER_S = 2
KEPT_HEADERS = ("Allow", "Retry-After", "Location")


class InvalidParameter(BadRequest):
    """A parameter is wrong."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(f"{error.pointer[1:]} {error.detail}.")
        self.errors = [error]


def invalid_parameter(name: str, detail: str) -> InvalidParameter:
    """Return the error about one parameter. detail: "must be …"."""
    return InvalidParameter(FieldError(pointer=f"/{name}", detail=detail))


def init_app(app: Flask) -> None:
    """Answer every error with a problem document."""
    app.register_error_handler(HTTPException, _problem)
    app.register_error_handler(DatabaseUnavailable, _database_unavailable)
    app.register_error_handler(Exception, _unexpected)


def _problem(error: HTTPException) -> Response:
    status = error.code or 500
    body = responses.Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.description or error.name,
        **({"errors": error.errors} if isinstance(error, InvalidParameter) else {}),
    )
    response = json_response(body, status, "application/problem+json")
    kept = {name: value for name, value in error.get_response().headers if name in KEPT_HEADERS}
    response.headers.update(kept)
    return response


def _database_unavailable(error: DatabaseUnavailable) -> Response:
    logger.warning("The database does not answer: %s", error)
    return _problem(ServiceUnavailable("The database does not answer. Try again.", retry_after=RETRY_AFTER_S))


def _unexpected(error: Exception) -> Response:
    logger.error("A request ended in an unexpected error", exc_info=error)
    return _problem(InternalServerError("Internal server error; details are in the server log."))
