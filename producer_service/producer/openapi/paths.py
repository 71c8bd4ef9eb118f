"""The paths of the OpenAPI document as plain data: requests and responses, with examples that work."""

from producer.domain.status import TRANSITIONS, Status
from producer.openapi import examples
from producer.openapi.parts import Part, page, problems, query, read, ref, request, response
from producer.web.pagination import DEFAULT_LIMIT, MAX_LIMIT

DESCRIBED_TRANSITIONS = "; ".join(
    f"{current} → {' or '.join(targets)}" for current, targets in TRANSITIONS.items() if targets
)

EVERY_READ = problems(400, 503)
EVERY_WRITE = problems(400, 403, 413, 415, 422, 503)
EVERY_PLACING = EVERY_WRITE | {"409": ref("responses", "StillRunning")}


def placing(operation: str, summary: str, description: str, body: Part, success: Part) -> Part:
    """Return the POST that places orders."""
    return {
        "operationId": operation,
        "tags": ["orders"],
        "summary": summary,
        "description": description,
        "parameters": [ref("parameters", "IdempotencyKey")],
        "requestBody": body,
        "responses": {"201": success} | EVERY_PLACING,
    }


PLACE_ORDER = placing(
    "placeOrder",
    "Place an order",
    "201 as soon as the order and its event are stored; Kafka is never waited for.",
    request("OrderDraft", examples.DRAFT),
    response("The order.", "Order", examples.ORDER, "Location"),
)
LIST_ORDERS = {
    "operationId": "listOrders",
    "tags": ["orders"],
    "summary": "List orders, newest first",
    "parameters": [
        query(
            "limit",
            "How many.",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        ),
        query(
            "after",
            "The `next` of an earlier response.",
            {"type": "string", "minLength": 22, "maxLength": 22},
        ),
        query("status", "Only orders of this status.", {"type": "string", "enum": list(Status)}),
    ],
    "responses": {"200": response("One page.", "OrderPage", {"orders": [examples.ORDER], "next": None})}
    | EVERY_READ
    | problems(422),
}
PLACE_BATCH = placing(
    "placeBatch",
    "Place up to 1,000 orders, all or none",
    "The first wrong field refuses the whole batch; pointers look like `/orders/3/item`.",
    request("OrderBatch", {"orders": [examples.DRAFT, examples.OTHER_DRAFT]}),
    response("The orders.", "PlacedBatch", {"count": 2, "orders": [examples.ORDER, examples.OTHER_ORDER]}),
)
PLACE_RANDOM = placing(
    "placeRandomOrders",
    "Place made-up orders",
    "For demonstrations and load tests: believable customers, items and prices. All or none.",
    request("RandomOrders", {"count": 3}),
    response("How many were placed.", "PlacedRandom", {"count": 3}),
)
SHOW_ORDER = {
    "operationId": "showOrder",
    "tags": ["orders"],
    "summary": "One order",
    "parameters": [ref("parameters", "OrderId")],
    "responses": {"200": response("The order.", "Order", examples.ORDER, "ETag")}
    | EVERY_READ
    | problems(404),
}
CHANGE_ORDER = {
    "operationId": "changeOrder",
    "tags": ["orders"],
    "summary": "Confirm, ship, deliver or cancel an order",
    "description": f"Transitions: {DESCRIBED_TRANSITIONS}.",
    "parameters": [ref("parameters", "OrderId"), ref("parameters", "IfMatch")],
    "requestBody": request("StatusChange", {"status": "confirmed"}),
    "responses": {
        "200": response(
            "The changed order.", "Order", examples.ORDER | {"status": "confirmed", "version": 2}, "ETag"
        )
    }
    | EVERY_WRITE
    | problems(404, 409, 412),
}


PATHS: Part = {
    "/orders": {"post": PLACE_ORDER, "get": LIST_ORDERS},
    "/orders/batch": {"post": PLACE_BATCH},
    "/orders/random": {"post": PLACE_RANDOM},
    "/orders/{order_id}": {
        "get": SHOW_ORDER,
        "patch": CHANGE_ORDER,
    },
    "/health/live": read(
        "live", "health", "Is the process alive?", {"200": response("It is.", "Live", {"status": "ok"})}
    ),
    "/health/ready": read(
        "ready",
        "health",
        "Can it take orders?",
        {
            "200": response("It takes orders: ok or degraded.", "Ready", examples.READY),
            "503": response("It does not: the database does not answer.", "Ready", examples.UNAVAILABLE),
        },
    ),
    "/": read("checkout", "pages", "The checkout page", {"200": page("The page.")}),
    "/docs": read("docs", "pages", "This document as a page", {"200": page("The page.")}),
    "/openapi.json": read(
        "openapi",
        "pages",
        "This document",
        {
            "200": {
                "description": "OpenAPI 3.1.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    ),
}
