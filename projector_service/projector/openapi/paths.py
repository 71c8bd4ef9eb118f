"""The paths of the OpenAPI document as plain data, with what they share and with examples."""

from typing import Any

from projector.web.stats import DEFAULT_ITEMS, DEFAULT_MINUTES, MAX_ITEMS, MAX_MINUTES

Part = dict[str, Any]

ORDER_ID = "01939b1e-6b1c-7c3a-8b1e-0123456789ab"
STATS: Part = {
    "orders": 3,
    "events": 5,
    "by_status": {"cancelled": 1, "confirmed": 1, "placed": 1},
    "revenue": "72.50",
    "as_of": {"0": 2, "1": 3},
}
MINUTE: Part = {
    "minute": "2026-11-22T14:05:00.000000Z",
    "events": 3,
    "by_status": {"cancelled": 1, "placed": 2},
    "amounts": {"cancelled": "8.50", "placed": "72.50"},
    "revenue": "64.00",
}
ITEM: Part = {"item": "Basic Tee", "orders": 1, "quantity": 2, "revenue": "64.00"}
TIMELINE: Part = {
    "order_id": ORDER_ID,
    "versions": [
        {
            "version": 1,
            "status": "placed",
            "time": "2026-11-22T14:05:06.123456Z",
            "partition": 0,
            "offset": 41,
        }
    ],
}
GROUP: Part = {"status": "ok", "instance": "projector-1", "partitions": [0, 1, 2]}
FIGURES: Part = {"status": "ok", "is_ours": True, "published": 21, "failed": 0}
READY: Part = {
    "status": "ok",
    "checks": {
        "database": {"status": "ok"},
        "group": GROUP,
        "reading": {
            "status": "ok", "lag": 0, "behind_s": 0.4, "repeats": 2, "ignored": 1, "skipped": 0, "recreated": 0,
        },
        "dead_letters": {"status": "ok", "parked": 0, "orders": 0, "unpublished": 0},
        "figures": FIGURES,
    },
}  # fmt: skip
UNAVAILABLE: Part = {
    "status": "unavailable",
    "checks": {
        "database": {"status": "unavailable", "detail": "connection refused"},
        "group": GROUP,
        "figures": FIGURES,
    },
}


def ref(kind: str, name: str) -> Part:
    """Return a reference to a component. kind: such as "schemas"."""
    return {"$ref": f"#/components/{kind}/{name}"}


def body(description: str, schema: str, example: Part, *headers: str) -> Part:
    """Return a JSON response. headers: names of header components."""
    media: Part = {"schema": ref("schemas", schema), "example": example}
    found: Part = {"description": description, "content": {"application/json": media}}
    if headers:
        found["headers"] = {name: ref("headers", name) for name in headers}
    return found


def problem(description: str, status: int, title: str, detail: str, *headers: str) -> Part:
    """Return a problem response with an example."""
    example = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    media: Part = {"schema": ref("schemas", "Problem"), "example": example}
    found: Part = {"description": description, "content": {"application/problem+json": media}}
    if headers:
        found["headers"] = {name: ref("headers", name) for name in headers}
    return found


def number(name: str, description: str, default: int, most: int) -> Part:
    """Return an optional query parameter that is a number from 1 on."""
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return {"name": name, "in": "query", "description": description, "schema": schema}


def figures(operation: str, tag: str, summary: str, success: Part, *parameters: Part, **others: Part) -> Part:
    """Return a GET with an ETag. others: more responses by `_status`."""
    found: Part = {"operationId": operation, "tags": [tag], "summary": summary}
    found["parameters"] = [*parameters, ref("parameters", "IfNoneMatch")]
    shared = {str(status): ref("responses", name) for status, name in EVERY_READ.items()}
    found["responses"] = {"200": success} | shared | {name[1:]: each for name, each in others.items()}
    return {"get": found}


def plain(operation: str, summary: str, responses: Part) -> Part:
    """Return a GET of the process itself."""
    return {"get": {"operationId": operation, "tags": ["health"], "summary": summary, "responses": responses}}


EVERY_READ = {304: "NotModified", 400: "Problem400", 503: "Problem503"}
PARAMETERS: Part = {
    "OrderId": {
        "name": "order_id",
        "in": "path",
        "required": True,
        "description": "The id that the producer's `POST /orders` returned.",
        "schema": {"type": "string", "format": "uuid"},
        "example": ORDER_ID,
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of an earlier answer, with its quotes.",
        "schema": {"type": "string"},
    },
}
HEADERS: Part = {
    "ETag": {"description": "Another one for other figures.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}},
}
RESPONSES: Part = {
    "NotModified": {"description": "What the client has still holds; there is no body."},
    "Problem400": problem(
        "A parameter is wrong, and `errors` names it; or the Host is not trusted.",
        400,
        "Bad Request",
        f"minutes must be a number from 1 to {MAX_MINUTES}.",
    ),
    "Problem404": problem(
        "No event of such an order has been read.",
        404,
        "Not Found",
        f"No event of an order {ORDER_ID} has been read.",
    ),
    "Problem503": problem(
        "The database does not answer.",
        503,
        "Service Unavailable",
        "The database does not answer. Try again.",
        "Retry-After",
    ),
}
PATHS: Part = {
    "/stats": figures(
        "showStats",
        "figures",
        "What all orders add up to",
        body("Sums of one moment.", "Stats", STATS, "ETag"),
    ),
    "/stats/series": figures(
        "showSeries",
        "figures",
        "Events and revenue by the minute",
        body("Every minute, also those without events.", "Series", {"minutes": [MINUTE]}, "ETag"),
        number("minutes", "How many minutes, the present one included.", DEFAULT_MINUTES, MAX_MINUTES),
    ),
    "/stats/items": figures(
        "showItems",
        "figures",
        "The items that bring most revenue",
        body("Most revenue first.", "Items", {"items": [ITEM]}, "ETag"),
        number("limit", "How many.", DEFAULT_ITEMS, MAX_ITEMS),
    ),
    "/orders/{order_id}/timeline": figures(
        "showTimeline",
        "orders",
        "Every version of an order, and where its event stands",
        body("The versions that have been read.", "Timeline", TIMELINE, "ETag"),
        ref("parameters", "OrderId"),
        _404=ref("responses", "Problem404"),
    ),
    "/health/live": plain("live", "Is the process alive?", {"200": body("It is.", "Live", {"status": "ok"})}),
    "/health/ready": plain(
        "ready",
        "Can it answer figures?",
        {
            "200": body("It answers figures: ok or degraded.", "Ready", READY),
            "503": body("It does not: the database does not answer.", "Ready", UNAVAILABLE),
        },
    ),
    "/openapi.json": plain(
        "openapi",
        "This document",
        {
            "200": {
                "description": "OpenAPI 3.1.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    ),
}
