"""The API's document as tests use it: what is described, and whether an answer fits."""

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
    def __init__(self, document: Part):
        self.document = copy.deepcopy(document)
        self._registry: Registry[Any] = Registry().with_resource(
            "urn:api", DRAFT202012.create_resource(self.document)
        )

    def close(self) -> "DescribedApi":
        """As a reader who ignores nothing: an answer with a field that is not described does not fit."""
        for schema in self.document["components"]["schemas"].values():
            schema["additionalProperties"] = False
        return self

    def operations(self) -> Iterator[tuple[str, str, Part]]:
        for path, operations in self.document["paths"].items():
            yield from ((method, path, operations[method]) for method in METHODS if method in operations)

    def operation(self, method: str, path: str) -> Part:
        found: Part = self.document["paths"][path][method]
        return found

    def resolve(self, part: Part) -> Part:
        while "$ref" in part:
            found: Any = self.document
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            part = found
        return part

    def misfits(self, schema: Part, value: Any) -> list[str]:
        """What is wrong with a value, in words; none when it fits."""
        placed = {"$ref": "urn:api" + schema["$ref"]} if "$ref" in schema else schema
        validator = Draft202012Validator(placed, registry=self._registry, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def hold(self, method: str, path: str, answer: TestResponse) -> None:
        """The answer is one of those described: status, media type, headers and body."""
        described = self.resolve(self.operation(method, path)["responses"][str(answer.status_code)])
        schema = described["content"][answer.mimetype or ""]["schema"]
        assert set(described.get("headers", {})) <= set(answer.headers.keys())
        value = answer.get_json() if answer.is_json else answer.text
        assert self.misfits(schema, value) == []
