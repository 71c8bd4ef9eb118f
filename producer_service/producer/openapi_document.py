"""The API's document (OpenAPI 3.1), made from the models that validate and the paths written down."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from producer import answers
from producer.draft import OrderBatch, OrderDraft, RandomOrders, StatusChange
from producer.openapi_paths import PATHS
from producer.openapi_shared import HEADERS, PARAMETERS, RESPONSES

DESCRIPTION = """Orders are taken here, kept in PostgreSQL, and published to Kafka as events.

Money is a string with a point, never a number. Times are UTC. Bodies are strict JSON: UTF-8, no unknown or
repeated fields, `Content-Type: application/json`. Text is trimmed and composed (NFC) before its length is
counted; control characters, line breaks and invisible direction marks are refused. Every error is
`application/problem+json` (RFC 9457)."""

ASKED: tuple[type[BaseModel], ...] = (OrderDraft, OrderBatch, RandomOrders, StatusChange)
ANSWERED: tuple[type[BaseModel], ...] = (
    answers.Order,
    answers.OrderPage,
    answers.PlacedBatch,
    answers.PlacedRandom,
    answers.Problem,
    answers.Live,
    answers.Ready,
)

# What functions check is not in the schema that pydantic makes; a test holds the two against each other.
CHECKED_BY_FUNCTIONS: dict[str, dict[str, Any]] = {
    "customer_name": {"minLength": 1},
    "item": {"minLength": 1},
    "unit_price": {
        "type": "string",
        "pattern": r"^(?=.*[1-9])[0-9]{1,10}(\.[0-9]{1,2})?$",
        "examples": ["32.00"],
        "description": "Greater than 0, at most two decimals.",
    },
}


class _WithoutTitles(GenerateJsonSchema):
    """A field's title would be its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def document() -> dict[str, Any]:
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
            {"name": "health", "description": "For load balancers and people who wonder."},
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
    asked: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in ASKED]
    answered: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "serialization") for model in ANSWERED]
    _, made = models_json_schema(
        [*asked, *answered],
        ref_template="#/components/schemas/{model}",
        schema_generator=_WithoutTitles,
    )
    schemas: dict[str, Any] = made["$defs"]
    fields = schemas["OrderDraft"]["properties"]
    for name, facts in CHECKED_BY_FUNCTIONS.items():
        fields[name] = facts if "type" in facts else fields[name] | facts
    return dict(sorted(schemas.items()))


def as_text() -> str:
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"
