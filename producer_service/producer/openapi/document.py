"""The OpenAPI 3.1 document, made from the models of requests and responses and the paths in paths.py."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from producer.domain.draft import OrderBatch, OrderDraft, RandomOrders, StatusChange
from producer.openapi.components import HEADERS, PARAMETERS, RESPONSES
from producer.openapi.paths import PATHS
from producer.web import responses

DESCRIPTION = """Orders are taken here, kept in PostgreSQL, and published to Kafka as events.

Money is a string with a point, never a number. Times are UTC. Bodies are strict JSON: UTF-8, no unknown or
repeated fields, `Content-Type: application/json`. Text is trimmed and normalised (NFC) before its length is
counted; control characters, line breaks and invisible direction marks are refused. Every error is
`application/problem+json` (RFC 9457)."""

REQUESTS: tuple[type[BaseModel], ...] = (OrderDraft, OrderBatch, RandomOrders, StatusChange)
RESPONSE_BODIES: tuple[type[BaseModel], ...] = (
    responses.Order,
    responses.OrderPage,
    responses.PlacedBatch,
    responses.PlacedRandom,
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
            "title": "Order stream: producer",
            "version": "1",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "orders", "description": "Place, find and change orders."},
            {"name": "health", "description": "For load balancers and operators."},
            {"name": "pages", "description": "For browsers."},
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
    requests: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in REQUESTS]
    response_bodies: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (model, "serialization") for model in RESPONSE_BODIES
    ]
    _, made = models_json_schema(
        [*requests, *response_bodies],
        ref_template="#/components/schemas/{model}",
        schema_generator=_WithoutTitles,
    )
    schemas: dict[str, Any] = made["$defs"]
    return dict(sorted(schemas.items()))


def as_text() -> str:
    """Return the document as indented JSON, ending with a line break."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"
