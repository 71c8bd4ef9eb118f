"""The pieces that the OpenAPI document is built of: references, bodies, responses, parameters."""

from typing import Any

Part = dict[str, Any]


def ref(kind: str, name: str) -> Part:
    """Return a reference to a component. kind: such as "schemas"."""
    return {"$ref": f"#/components/{kind}/{name}"}


def json_body(schema: str, example: Part) -> Part:
    """Return the content of a JSON body."""
    return {"application/json": {"schema": ref("schemas", schema), "example": example}}


def request(schema: str, example: Part) -> Part:
    """Return a required JSON request body."""
    return {"required": True, "content": json_body(schema, example)}


def response(description: str, schema: str, example: Part, *headers: str) -> Part:
    """Return a JSON response. headers: names of header components."""
    found: Part = {"description": description, "content": json_body(schema, example)}
    if headers:
        found["headers"] = {name: ref("headers", name) for name in headers}
    return found


def page(description: str, media_type: str = "text/html") -> Part:
    """Return a response that is a page."""
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}


def problems(*statuses: int) -> Part:
    """Return the problem responses of these statuses."""
    return {str(status): ref("responses", f"Problem{status}") for status in statuses}


def query(name: str, description: str, schema: Part) -> Part:
    """Return an optional query parameter."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def read(operation: str, tag: str, summary: str, responses: Part) -> Part:
    """Return a path that only has GET."""
    return {"get": {"operationId": operation, "tags": [tag], "summary": summary, "responses": responses}}
