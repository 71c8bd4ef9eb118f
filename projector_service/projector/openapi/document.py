"""The OpenAPI 3.1 document, made from the models of responses and the paths in paths.py."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from projector.openapi.paths import HEADERS, PARAMETERS, PATHS, RESPONSES
from projector.web import responses

DESCRIPTION = """What the orders add up to, kept up to date from their events on Kafka.

Money is a string with a point, never a number. Times are UTC. Every answer is of one moment; those of figures carry an
ETag, and 304 answers an If-None-Match that still holds. Every error is `application/problem+json` (RFC 9457)."""

BODIES: tuple[type[BaseModel], ...] = (
    responses.Stats,
    responses.Series,
    responses.Items,
    responses.Timeline,
    responses.Problem,
    responses.Live,
    responses.Ready,
)


class _WithoutTitles(GenerateJsonSchema):
    """Leave out the titles of fields, which would repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def document() -> dict[str, Any]:
    """Return the whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Order stream: projector",
            "version": "1",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "figures", "description": "What the orders add up to."},
            {"name": "orders", "description": "One order."},
            {"name": "health", "description": "For load balancers and operators."},
        ],
        "paths": PATHS,
        "components": {
            "schemas": _schemas(),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": RESPONSES,
        },
    }


def _schemas() -> dict[str, Any]:
    _, made = models_json_schema(
        [(model, "serialization") for model in BODIES],
        ref_template="#/components/schemas/{model}",
        schema_generator=_WithoutTitles,
    )
    schemas: dict[str, Any] = made["$defs"]
    return dict(sorted(schemas.items()))


def as_text() -> str:
    """Return the document as indented JSON, ending with a line break."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"
