import json
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel

from producer.domain.draft import OrderBatch, OrderDraft, StatusChange
from producer.domain.status import TARGETS
from producer.web import errors
from tests.shop import ORDER


def field_errors(model: type[BaseModel], body: Any) -> dict[str, str]:
    """Return the details that a client gets for an invalid body, by pointer."""
    app = Flask("test")
    errors.init_app(app)

    @app.post("/")
    def read() -> str:
        model.model_validate(body)
        return ""

    problem = json.loads(app.test_client().post("/").data)
    assert problem["status"] == 422
    return {error["pointer"]: error["detail"] for error in problem["errors"]}


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"customer_name": "c" * 101}, "must have at most 100 characters"),
        ({"customer_name": " "}, "must not be empty"),
        ({"customer_name": 5}, "must be text"),
        ({"quantity": 0}, "must be at least 1"),
        ({"quantity": 10_001}, "must be at most 10000"),
        ({"quantity": "2"}, "must be a whole number"),
        ({"unit_price": 1}, 'must be a string such as "32.00"'),
        ({"status": "placed"}, "is not a known field"),
    ],
)
def test_invalid_field_has_a_detail_in_plain_english(change: dict[str, Any], detail: str) -> None:
    (field,) = change
    assert field_errors(OrderDraft, ORDER | change) == {f"/{field}": detail}


def test_missing_fields_are_required() -> None:
    assert field_errors(OrderDraft, {}) == {f"/{name}": "is required" for name in ORDER}


def test_field_error_in_a_batch_points_to_the_order() -> None:
    details = field_errors(OrderBatch, {"orders": [ORDER, ORDER | {"item": ""}]})
    assert details == {"/orders/1/item": "must not be empty"}


def test_empty_batch_is_refused() -> None:
    assert field_errors(OrderBatch, {"orders": []}) == {"/orders": "must have at least 1 entries"}


def test_status_change_lists_the_targets() -> None:
    *others, last = (f"'{target}'" for target in TARGETS)
    details = field_errors(StatusChange, {"status": "lost"})
    assert details == {"/status": f"must be {', '.join(others)} or {last}"}


def test_body_that_is_no_object_is_refused() -> None:
    assert field_errors(OrderDraft, []) == {"": "must be an object"}
