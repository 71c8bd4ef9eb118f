"""Every error is a problem document (RFC 9457)."""

import json

from flask import Flask, Response
from werkzeug.exceptions import HTTPException


class Problem(Exception):
    """Ends a request with a problem document."""

    def __init__(self, status: int, detail: str, *, pointer: str = "", retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = [{"pointer": pointer, "detail": detail}] if pointer else []
        self.retry_after = retry_after


TITLES = {
    400: "Bad Request",
    403: "Forbidden",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def register(app: Flask) -> None:
    app.register_error_handler(Problem, _from_problem)
    app.register_error_handler(HTTPException, _from_http)


def _from_problem(problem: Problem) -> Response:
    answer = _document(problem.status, TITLES[problem.status], problem.detail, problem.errors)
    if problem.retry_after:
        answer.headers["Retry-After"] = str(problem.retry_after)
    return answer


def _from_http(error: HTTPException) -> Response:
    """Also what is not foreseen: Flask has logged it and hands over an InternalServerError."""
    answer = _document(error.code or 500, error.name, error.description or "", [])
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer


def _document(status: int, title: str, detail: str, errors: list[dict[str, str]]) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": errors}
    return Response(json.dumps(body), status, {"Cache-Control": "no-store"}, "application/problem+json")
