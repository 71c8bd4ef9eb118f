"""Every error as `application/problem+json` (RFC 9457), saying which field it is about."""

import logging
from dataclasses import asdict, dataclass, field
from http import HTTPStatus

from flask import Flask, Response, jsonify
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from producer.models import WrongTransition

logger = logging.getLogger(__name__)
RETRY_AFTER_S = 2


@dataclass(frozen=True)
class ProblemDetail:
    """One thing that is wrong, and where: a JSON pointer into the body, or `/name` of a parameter."""

    pointer: str
    detail: str


@dataclass
class Problem(Exception):
    """The request ends with this answer."""

    status: int
    detail: str
    errors: list[ProblemDetail] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self) -> Response:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [asdict(error) for error in self.errors]
        response = jsonify(body)
        response.status_code = self.status
        response.mimetype = "application/problem+json"
        response.headers.update(self.headers)
        return response


def invalid(pointer: str, detail: str, status: int = 422) -> Problem:
    return Problem(status, f"{pointer[1:]} {detail}", [ProblemDetail(pointer, detail)])


def init_app(app: Flask) -> None:
    app.register_error_handler(Problem, Problem.answer)
    app.register_error_handler(WrongTransition, lambda error: Problem(409, str(error)).answer())
    app.register_error_handler(ValidationError, _invalid_body)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OperationalError, _no_database)
    app.register_error_handler(InterfaceError, _no_database)
    app.register_error_handler(PoolTimeout, _no_database)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(Exception, _unexpected)


def _invalid_body(error: ValidationError) -> Response:
    details = [ProblemDetail(_pointer(e["loc"]), _sentence(e)) for e in error.errors(include_url=False)]
    return Problem(422, "the body does not fit; see errors", details).answer()


def _pointer(location: tuple[int | str, ...]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


# pydantic's words are for programmers; these stand beside a field of a form. By its error types.
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} {units}",
    "too_long": "must have at most {max_length} {units}",
    "model_type": "must be an object",
}


def _sentence(error: ErrorDetails) -> str:
    words = _WORDS.get(error["type"])
    if words is None:
        return error["msg"].removeprefix("Value error, ")
    units = "characters" if isinstance(error["input"], str) else "entries"
    return words.format(units=units, **error.get("ctx", {}))


def _http(error: HTTPException) -> Response:
    answer = Problem(error.code or 500, error.description or error.name).answer()
    original = error.get_response()
    for name in ("Allow", "Retry-After", "Location"):
        if name in original.headers:
            answer.headers[name] = original.headers[name]
    return answer


def _no_database(error: Exception) -> Response:
    logger.warning("the database does not answer: %s", str(error).splitlines()[0])
    detail = "the database does not answer; nothing was stored that was not confirmed, try again"
    return Problem(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)}).answer()


def _database(error: DBAPIError) -> Response:
    return _no_database(error) if error.connection_invalidated else _unexpected(error)


def _unexpected(error: Exception) -> Response:
    logger.error("a request ended in an unexpected error", exc_info=error)
    return Problem(500, "an error that nobody expected; it is in the log").answer()
