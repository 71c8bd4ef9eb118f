"""`GET /openapi.json`: the same bytes as contracts/projector-openapi.json."""

from functools import cache

from flask import Blueprint, Response

from projector.openapi.document import as_text

openapi_document = Blueprint("openapi_document", __name__)


@openapi_document.get("/openapi.json")
def openapi() -> Response:
    """Answer the OpenAPI document."""
    return Response(_text(), mimetype="application/json")


@cache
def _text() -> str:
    return as_text()
