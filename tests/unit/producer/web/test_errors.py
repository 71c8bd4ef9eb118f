import json
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel

from producer.domain.draft import OrderBatch, OrderDraft, StatusChange
from producer.web import errors

ORDER: dict[str, Any] = {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}


def words(model: type[BaseModel], body: Any) -> dict[str, str]:
    """By pointer, what a client is told about a body."""
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
    ("change", "told"),
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
def test_what_is_wrong_is_said_in_words(change: dict[str, Any], told: str) -> None:
    (field,) = change
    assert words(OrderDraft, ORDER | change) == {f"/{field}": told}


def test_what_is_missing_is_said() -> None:
    assert words(OrderDraft, {}) == dict.fromkeys(
        ("/customer_name", "/item", "/unit_price", "/quantity"), "is required"
    )


def test_a_batch_says_which_order() -> None:
    told = words(OrderBatch, {"orders": [ORDER, ORDER | {"item": ""}]})
    assert told == {"/orders/1/item": "must not be empty"}


def test_an_empty_batch() -> None:
    assert words(OrderBatch, {"orders": []}) == {"/orders": "must have at least 1 entries"}


def test_a_status_is_one_of_four() -> None:
    told = words(StatusChange, {"status": "lost"})
    assert told == {"/status": "must be 'confirmed', 'shipped', 'delivered' or 'cancelled'"}


def test_a_body_that_is_no_object() -> None:
    assert words(OrderDraft, []) == {"": "must be an object"}
