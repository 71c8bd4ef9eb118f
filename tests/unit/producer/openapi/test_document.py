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

COMMITTED = CONTRACTS / "openapi.json"
NOT_THE_API = {"static"}


@pytest.fixture
def described() -> DescribedApi:
    return DescribedApi(document())


@pytest.fixture
def app() -> Flask:
    return create_app(
        Settings(database_url="postgresql://nobody@nowhere/nothing", kafka_bootstrap_servers="nowhere:1")
    )


def every_ref(part: Any) -> list[Part]:
    if isinstance(part, dict):
        here = [part] if "$ref" in part else []
        return here + [found for value in part.values() for found in every_ref(value)]
    return [found for value in part for found in every_ref(value)] if isinstance(part, list) else []


def every_media(described: DescribedApi) -> list[Part]:
    contents = [
        described.resolve(answer).get("content", {})
        for _, _, operation in described.operations()
        for answer in operation["responses"].values()
    ]
    contents += [op["requestBody"]["content"] for _, _, op in described.operations() if "requestBody" in op]
    return [media for content in contents for media in content.values()]


def test_the_committed_copy_is_what_the_code_says() -> None:
    assert COMMITTED.read_text() == as_text(), "run: make openapi"


def test_it_is_openapi_3_1(described: DescribedApi) -> None:
    assert described.document["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(described.document["info"])
    for _, path, operation in described.operations():
        assert path.startswith("/")
        assert operation["responses"]
        assert all(described.resolve(answer)["description"] for answer in operation["responses"].values())


def test_every_reference_leads_somewhere_and_everything_is_referred_to(described: DescribedApi) -> None:
    found = every_ref(described.document)
    assert all(described.resolve(part) for part in found)
    components = described.document["components"]
    defined = {f"#/components/{kind}/{name}" for kind, parts in components.items() for name in parts}
    assert {part["$ref"] for part in found} == defined


def test_every_operation_has_a_name_of_its_own(described: DescribedApi) -> None:
    names = [operation["operationId"] for _, _, operation in described.operations()]
    assert len(names) == len(set(names))


def test_every_schema_is_a_json_schema(described: DescribedApi) -> None:
    for schema in described.document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_example_fits_its_schema(described: DescribedApi) -> None:
    described.close()
    with_examples = [media for media in every_media(described) if "example" in media]
    assert len(with_examples) > 20
    for media in with_examples:
        assert described.misfits(media["schema"], media["example"]) == []


def test_every_path_parameter_is_declared(described: DescribedApi) -> None:
    for _, path, operation in described.operations():
        declared = [described.resolve(parameter) for parameter in operation.get("parameters", [])]
        names = {parameter["name"] for parameter in declared if parameter["in"] == "path"}
        assert names == set(re.findall(r"{(\w+)}", path))


def test_what_is_described_is_what_the_application_serves(described: DescribedApi, app: Flask) -> None:
    served = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in NOT_THE_API
        for method in rule.methods or ()
        if method.lower() in METHODS
    }
    assert served == {(method, path) for method, path, _ in described.operations()}


def test_bodies_take_no_unknown_fields(described: DescribedApi) -> None:
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
        *({name: text} for name in ("customer_name", "item") for text in ("", "a", 7, None)),
        *(
            {name: "x" * size}
            for name in ("customer_name", "item", "description")
            for size in (100, 200, 1000)
        ),
        *(
            {name: "x" * size}
            for name in ("customer_name", "item", "description")
            for size in (101, 201, 1001)
        ),
        {"description": ""},
        {"note": "a field nobody knows"},
    ],
)
def test_the_schema_of_an_order_takes_what_the_model_takes(described: DescribedApi, change: Part) -> None:
    order = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2} | change
    try:
        OrderDraft.model_validate(order)
        taken = True
    except ValidationError:
        taken = False
    assert (described.misfits({"$ref": "#/components/schemas/OrderDraft"}, order) == []) is taken


def test_the_document_is_plain_data() -> None:
    assert json.loads(as_text()) == document()
