"""The paths of the API's document as plain data: what is asked and answered, with examples that work."""

from producer import openapi_examples as examples
from producer.openapi_examples import Part
from producer.orders import MAX_PAGE, STATUSES


def ref(kind: str, name: str) -> Part:
    return {"$ref": f"#/components/{kind}/{name}"}


def json_body(schema: str, example: Part) -> Part:
    return {"application/json": {"schema": ref("schemas", schema), "example": example}}


def request(schema: str, example: Part) -> Part:
    return {"required": True, "content": json_body(schema, example)}


def answer(description: str, schema: str, example: Part, *headers: str) -> Part:
    found: Part = {"description": description, "content": json_body(schema, example)}
    if headers:
        found["headers"] = {name: ref("headers", name) for name in headers}
    return found


def page(description: str, media_type: str = "text/html") -> Part:
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}


def problems(*statuses: int) -> Part:
    return {str(status): ref("responses", f"Problem{status}") for status in statuses}


EVERY_READ = problems(400, 503)
EVERY_WRITE = problems(400, 403, 413, 415, 422, 503)
EVERY_PLACING = EVERY_WRITE | {"409": ref("responses", "StillRunning")}


def placing(operation: str, summary: str, description: str, body: Part, answered: Part) -> Part:
    return {
        "operationId": operation,
        "tags": ["orders"],
        "summary": summary,
        "description": description,
        "parameters": [ref("parameters", "IdempotencyKey")],
        "requestBody": body,
        "responses": {"201": answered} | EVERY_PLACING,
    }


def query(name: str, description: str, schema: Part) -> Part:
    return {"name": name, "in": "query", "description": description, "schema": schema}


PLACE_ORDER = placing(
    "placeOrder",
    "Place an order",
    "201 as soon as the order and its event are stored; Kafka is never waited for.",
    request("OrderDraft", examples.DRAFT),
    answer("The order.", "Order", examples.ORDER, "Location"),
)
LIST_ORDERS = {
    "operationId": "listOrders",
    "tags": ["orders"],
    "summary": "List orders, newest first",
    "parameters": [
        query("limit", "How many.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50}),
        query(
            "after", "The `next` of an earlier answer.", {"type": "string", "minLength": 22, "maxLength": 22}
        ),
        query("status", "Only orders of this status.", {"type": "string", "enum": list(STATUSES)}),
    ],
    "responses": {"200": answer("One page.", "OrderPage", {"orders": [examples.ORDER], "next": None})}
    | EVERY_READ
    | problems(422),
}
PLACE_BATCH = placing(
    "placeBatch",
    "Place up to 1,000 orders, all or none",
    "The first wrong field refuses the whole batch; pointers look like `/orders/3/item`.",
    request("OrderBatch", {"orders": [examples.DRAFT, examples.OTHER_DRAFT]}),
    answer("The orders.", "PlacedBatch", {"count": 2, "orders": [examples.ORDER, examples.OTHER_ORDER]}),
)
PLACE_RANDOM = placing(
    "placeRandomOrders",
    "Place made-up orders",
    "For demonstrations and load: believable customers, items and prices. All or none.",
    request("RandomOrders", {"count": 3}),
    answer("How many were placed.", "PlacedRandom", {"count": 3}),
)
SHOW_ORDER = {
    "operationId": "showOrder",
    "tags": ["orders"],
    "summary": "One order",
    "parameters": [ref("parameters", "OrderId")],
    "responses": {"200": answer("The order.", "Order", examples.ORDER, "ETag")} | EVERY_READ | problems(404),
}
CHANGE_ORDER = {
    "operationId": "changeOrder",
    "tags": ["orders"],
    "summary": "Confirm, ship, deliver or cancel an order",
    "description": "placed → confirmed → shipped → delivered; cancelled from the first two.",
    "parameters": [ref("parameters", "OrderId"), ref("parameters", "IfMatch")],
    "requestBody": request("StatusChange", {"status": "confirmed"}),
    "responses": {
        "200": answer(
            "The order after it.", "Order", examples.ORDER | {"status": "confirmed", "version": 2}, "ETag"
        )
    }
    | EVERY_WRITE
    | problems(404, 409, 412),
}


def read(operation: str, tag: str, summary: str, responses: Part) -> Part:
    return {"get": {"operationId": operation, "tags": [tag], "summary": summary, "responses": responses}}


PATHS: Part = {
    "/orders": {"post": PLACE_ORDER, "get": LIST_ORDERS},
    "/orders/batch": {"post": PLACE_BATCH},
    "/orders/random": {"post": PLACE_RANDOM},
    "/orders/{order_id}": {
        "get": SHOW_ORDER,
        "patch": CHANGE_ORDER,
    },
    "/health/live": read(
        "live", "health", "Is the process alive?", {"200": answer("It is.", "Live", {"status": "ok"})}
    ),
    "/health/ready": read(
        "ready",
        "health",
        "Can it take orders?",
        {
            "200": answer("It takes orders: ok or degraded.", "Ready", examples.READY),
            "503": answer("It does not: the database does not answer.", "Ready", examples.UNAVAILABLE),
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
