import json
import re
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from producer import create_app
from producer.config import Settings
from producer.domain.draft import OrderDraft
from producer.openapi.document import as_text, document
from tests.described_api import METHODS, DescribedApi, Part
from tests.project import CONTRACTS
from tests.shop import ORDER
from tests.unit.producer.domain.test_draft import TEXT_LIMITS

COMMITTED = CONTRACTS / "openapi.json"
ENDPOINTS_OUTSIDE_THE_API = {"static"}


@pytest.fixture
def described() -> DescribedApi:
    return DescribedApi(document())


@pytest.fixture
def app() -> Flask:
    return create_app(
        Settings(database_url="postgresql://nobody@nowhere/nothing", kafka_bootstrap_servers="nowhere:1")
    )


def references(part: Any) -> list[Part]:
    """Return every reference in a part of the document."""
    if isinstance(part, dict):
        here = [part] if "$ref" in part else []
        return here + [found for value in part.values() for found in references(value)]
    return [found for value in part for found in references(value)] if isinstance(part, list) else []


def media_types(described: DescribedApi) -> list[Part]:
    """Return the media type objects of all responses and request bodies."""
    contents = [
        described.resolve(response).get("content", {})
        for _, _, operation in described.operations()
        for response in operation["responses"].values()
    ]
    contents += [op["requestBody"]["content"] for _, _, op in described.operations() if "requestBody" in op]
    return [media for content in contents for media in content.values()]


def test_committed_openapi_document_is_up_to_date() -> None:
    assert COMMITTED.read_text() == as_text(), "run: make openapi"


def test_document_is_openapi_3_1(described: DescribedApi) -> None:
    assert described.document["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(described.document["info"])
    for _, path, operation in described.operations():
        assert path.startswith("/")
        assert operation["responses"]
        assert all(described.resolve(each)["description"] for each in operation["responses"].values())


def test_every_reference_resolves_and_every_component_is_used(described: DescribedApi) -> None:
    refs = references(described.document)
    assert all(described.resolve(part) for part in refs)
    components = described.document["components"]
    defined = {f"#/components/{kind}/{name}" for kind, parts in components.items() for name in parts}
    assert {part["$ref"] for part in refs} == defined


def test_every_operation_has_a_unique_id(described: DescribedApi) -> None:
    names = [operation["operationId"] for _, _, operation in described.operations()]
    assert len(names) == len(set(names))


def test_every_schema_is_a_valid_json_schema(described: DescribedApi) -> None:
    for schema in described.document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_example_fits_its_schema(described: DescribedApi) -> None:
    described.close()
    with_examples = [media for media in media_types(described) if "example" in media]
    assert len(with_examples) > 20
    for media in with_examples:
        assert described.misfits(media["schema"], media["example"]) == []


def test_every_path_parameter_is_declared(described: DescribedApi) -> None:
    for _, path, operation in described.operations():
        declared = [described.resolve(parameter) for parameter in operation.get("parameters", [])]
        names = {parameter["name"] for parameter in declared if parameter["in"] == "path"}
        assert names == set(re.findall(r"{(\w+)}", path))


def test_document_describes_exactly_the_routes_of_the_application(
    described: DescribedApi, app: Flask
) -> None:
    served = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in ENDPOINTS_OUTSIDE_THE_API
        for method in rule.methods or ()
        if method.lower() in METHODS
    }
    assert served == {(method, path) for method, path, _ in described.operations()}


def test_request_bodies_allow_no_unknown_fields(described: DescribedApi) -> None:
    bodies = [op["requestBody"]["content"] for _, _, op in described.operations() if "requestBody" in op]
    assert bodies
    for content in bodies:
        assert set(content) == {"application/json"}
        assert described.resolve(content["application/json"]["schema"])["additionalProperties"] is False


@pytest.mark.parametrize(
    "change",
    [
        *({"unit_price": price} for price in ("32.00", "1", "0.01", "00.10", "9999999999.99", "0.5")),
        *(
            {"unit_price": price}
            for price in ("0", "0.00", "1.005", "1e2", "", ".5", "5.", "-1", "10000000000")
        ),
        *({"unit_price": price} for price in (32, 32.5, None, True, "\u0661\u0662", " 1", "1_000")),
        *({"quantity": count} for count in (1, 10_000, 0, -1, 10_001, "2", None, True, 2.5)),
        *({name: text} for name in TEXT_LIMITS for text in ("", "a", 7, None)),
        *(
            {name: "x" * size}
            for name in TEXT_LIMITS
            for limit in TEXT_LIMITS.values()
            for size in (limit, limit + 1)
        ),
        {"description": ""},
        {"note": "a field nobody knows"},
    ],
)
def test_order_schema_accepts_what_the_order_model_accepts(described: DescribedApi, change: Part) -> None:
    order = ORDER | change
    try:
        OrderDraft.model_validate(order)
        accepted = True
    except ValidationError:
        accepted = False
    assert (described.misfits({"$ref": "#/components/schemas/OrderDraft"}, order) == []) is accepted


def test_document_is_plain_json() -> None:
    assert json.loads(as_text()) == document()
