"""Every error as `application/problem+json` (RFC 9457).

Views raise werkzeug's own exceptions, or `invalid_parameter` where a query parameter is to blame."""

import json
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import BadRequest, HTTPException

KEPT_HEADERS = ("Allow", "Retry-After")


class InvalidParameter(BadRequest):
    """A query parameter is wrong. pointer: `/name`."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer


def init_app(app: Flask) -> None:
    """Answer every error with a problem document.

    That includes unexpected ones, which Flask logs and hands over as InternalServerError."""
    app.register_error_handler(HTTPException, _problem)


def _problem(error: HTTPException) -> Response:
    status, detail = error.code or 500, error.description or ""
    pointers = [error.pointer] if isinstance(error, InvalidParameter) else []
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [{"pointer": pointer, "detail": detail} for pointer in pointers],
    }
    kept = {name: value for name, value in error.get_headers() if name in KEPT_HEADERS}
    headers = kept | {"Cache-Control": "no-store"}
    return Response(json.dumps(body), status, headers, "application/problem+json")
