"""What the paths of the OpenAPI document share: parameters, headers and problems, each with an example."""

from typing import Any

from producer.openapi.examples import ORDER_ID
from producer.openapi.parts import Part, ref

PARAMETERS: Part = {
    "OrderId": {
        "name": "order_id",
        "in": "path",
        "required": True,
        "description": "The id that `POST /orders` returned.",
        "schema": {"type": "string", "format": "uuid"},
        "example": ORDER_ID,
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A random value made by the client, one for each thing that is to happen once. The same key"
        " with the same body within 24 hours gets the same response, and nothing is placed twice.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": 'The ETag that was read, with its quotes, such as `"1"`: the order is changed only'
        " while it is at that version.",
        "schema": {"type": "string"},
    },
}
HEADERS: Part = {
    "Location": {
        "description": "The path of the order.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {"description": "The order's version, in quotes.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}},
}


def problem(description: str, example: Part, *, retry: bool = False) -> Part:
    """Return a problem response. retry: with Retry-After."""
    media: Part = {"schema": ref("schemas", "Problem"), "example": {"type": "about:blank"} | example}
    found: Part = {"description": description, "content": {"application/problem+json": media}}
    if retry:
        found["headers"] = {"Retry-After": ref("headers", "Retry-After")}
    return found


def example(status: int, title: str, detail: str, *errors: tuple[str, str]) -> dict[str, Any]:
    """Return an example of a problem. errors: pairs of pointer and detail."""
    found: Part = {"title": title, "status": status, "detail": detail}
    if errors:
        found["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in errors]
    return found


RESPONSES: Part = {
    "Problem400": problem(
        "The request cannot be read: broken JSON, a field given twice, an unreadable header or cursor, an"
        " untrusted Host.",
        example(400, "Bad Request", "The body is not JSON: Expecting ',' delimiter at line 1, column 24."),
    ),
    "Problem403": problem(
        "The request comes from a page of another origin.",
        example(403, "Forbidden", "A page of another origin may not place or change orders."),
    ),
    "Problem404": problem(
        "There is no such order.", example(404, "Not Found", f"There is no order {ORDER_ID}.")
    ),
    "Problem409": problem(
        "The order's status does not allow this transition.",
        example(409, "Conflict", "An order that is shipped cannot become cancelled."),
    ),
    "StillRunning": problem(
        "A request with the same Idempotency-Key has not ended yet.",
        example(409, "Conflict", "A request with this Idempotency-Key is still running."),
        retry=True,
    ),
    "Problem412": problem(
        "The order is not at the version that If-Match names: read it again.",
        example(412, "Precondition Failed", "The order is at version 3 now."),
    ),
    "Problem413": problem(
        "The body is larger than 1 MiB.",
        example(413, "Request Entity Too Large", "The data value transmitted exceeds the capacity limit."),
    ),
    "Problem415": problem(
        "The body is not declared as JSON.",
        example(
            415, "Unsupported Media Type", "The body must be JSON, sent with Content-Type: application/json."
        ),
    ),
    "Problem422": problem(
        "Fields or parameters are wrong; `errors` names each. Or the Idempotency-Key was used with another body.",
        example(
            422,
            "Unprocessable Entity",
            "The body is not valid; see errors.",
            ("/unit_price", "must be greater than 0"),
        ),
    ),
    "Problem503": problem(
        "The database does not answer, or too many events wait for Kafka. Nothing is half-done: try again."
        " When the answer to the commit itself was lost, `detail` says that the request may have been stored:"
        " repeat it with the same Idempotency-Key.",
        example(
            503,
            "Service Unavailable",
            "The database does not answer; nothing was stored. Try again.",
        ),
        retry=True,
    ),
}
