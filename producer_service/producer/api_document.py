"""`GET /openapi.json`: the same bytes as contracts/openapi.json."""

from functools import cache

from flask import Blueprint, Response

from producer.openapi_document import as_text

api_document = Blueprint("api_document", __name__)


@api_document.get("/openapi.json")
def openapi() -> Response:
    return Response(_text(), mimetype="application/json")


@cache
def _text() -> str:
    return as_text()
