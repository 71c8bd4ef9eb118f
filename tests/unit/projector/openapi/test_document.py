import json
import re

import pytest
from jsonschema import Draft202012Validator

from projector import create_app
from projector.openapi.document import as_text, document
from tests.described_api import METHODS, DescribedApi
from tests.project import CONTRACTS
from tests.unit.projector.web.harness import SETTINGS

COMMITTED = CONTRACTS / "projector-openapi.json"


@pytest.fixture
def described() -> DescribedApi:
    return DescribedApi(document())


def test_committed_document_is_up_to_date() -> None:
    assert COMMITTED.read_text() == as_text(), "run: make openapi"


def test_document_describes_exactly_the_routes_of_the_application(described: DescribedApi) -> None:
    served = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in create_app(SETTINGS).url_map.iter_rules()
        for method in rule.methods or ()
        if method.lower() in METHODS
    }
    assert served == {(method, path) for method, path, _ in described.operations()}


def test_every_reference_resolves_and_every_component_is_used(described: DescribedApi) -> None:
    refs = set(re.findall(r'"\$ref": "(#/components/[^"]+)"', as_text()))
    assert all(described.resolve({"$ref": each}) for each in refs)
    components = described.document["components"]
    assert refs == {f"#/components/{kind}/{name}" for kind, parts in components.items() for name in parts}


def test_every_schema_is_valid_and_every_example_fits_its_own(described: DescribedApi) -> None:
    for schema in described.document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    described.close()
    contents = [
        media
        for _, _, operation in described.operations()
        for response in operation["responses"].values()
        for media in described.resolve(response).get("content", {}).values()
    ]
    with_examples = [media for media in contents if "example" in media]
    assert len(with_examples) > 10
    assert [
        each for media in with_examples for each in described.misfits(media["schema"], media["example"])
    ] == []


def test_every_operation_has_a_unique_id_and_declares_its_path_parameters(described: DescribedApi) -> None:
    operations = list(described.operations())
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names))
    for _, path, operation in operations:
        declared = [described.resolve(parameter) for parameter in operation.get("parameters", [])]
        assert {each["name"] for each in declared if each["in"] == "path"} == set(
            re.findall(r"{(\w+)}", path)
        )


def test_document_is_plain_json() -> None:
    assert json.loads(as_text()) == document()
