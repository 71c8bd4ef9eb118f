"""The OpenAPI document as tests use it: which operations it describes, and whether a response fits."""

import copy
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from werkzeug.test import TestResponse

METHODS = ("get", "post", "put", "patch", "delete")
Part = dict[str, Any]


class DescribedApi:
    """A copy of an OpenAPI document whose references can be followed."""

    def __init__(self, document: Part):
        self.document = copy.deepcopy(document)
        self._registry: Registry[Any] = Registry().with_resource(
            "urn:api", DRAFT202012.create_resource(self.document)
        )

    def close(self) -> "DescribedApi":
        """Refuse fields that are not described from now on, as a client would that ignores none; return self."""
        for schema in self.document["components"]["schemas"].values():
            schema["additionalProperties"] = False
        return self

    def operations(self) -> Iterator[tuple[str, str, Part]]:
        """Iterate over the method, the path and the description of every operation."""
        for path, operations in self.document["paths"].items():
            yield from ((method, path, operations[method]) for method in METHODS if method in operations)

    def operation(self, method: str, path: str) -> Part:
        """Return the description of one operation."""
        operation: Part = self.document["paths"][path][method]
        return operation

    def resolve(self, part: Part) -> Part:
        """Return the part that a reference leads to; a part that is no reference is returned as it is."""
        while "$ref" in part:
            target: Any = self.document
            for step in part["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            part = target
        return part

    def misfits(self, schema: Part, value: Any) -> list[str]:
        """Return a message for each place where the value violates the schema; none when it fits."""
        located = {"$ref": "urn:api" + schema["$ref"]} if "$ref" in schema else schema
        validator = Draft202012Validator(located, registry=self._registry, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def hold(self, method: str, path: str, response: TestResponse) -> None:
        """Assert that the response is a described one: status, media type, headers and body."""
        described = self.resolve(self.operation(method, path)["responses"][str(response.status_code)])
        schema = described["content"][response.mimetype or ""]["schema"]
        assert set(described.get("headers", {})) <= set(response.headers.keys())
        value = response.get_json() if response.is_json else response.text
        assert self.misfits(schema, value) == []
