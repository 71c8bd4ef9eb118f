"""Errors: a page for people, `application/problem+json` (RFC 9457) for programs."""

import json
from http import HTTPStatus

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

KEPT_HEADERS = ("Allow", "Retry-After")


def init_app(app: Flask) -> None:
    """Answer every error so, unexpected ones too, which Flask logs and hands over as InternalServerError."""
    app.register_error_handler(HTTPException, _problem)


def _problem(error: HTTPException) -> Response:
    status, detail = error.code or 500, error.description or ""
    title = HTTPStatus(status).phrase
    kept = {name: value for name, value in error.get_headers() if name in KEPT_HEADERS}
    headers = kept | {"Cache-Control": "no-store"}
    # A page names the Host's own links, so one that is not trusted gets none.
    if status != HTTPStatus.BAD_REQUEST and "text/html" in request.headers.get("Accept", ""):
        return Response(render_template("error.html", heading=title, detail=detail), status, headers)
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": []}
    return Response(json.dumps(body), status, headers, "application/problem+json")
