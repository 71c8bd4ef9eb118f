import json
from decimal import Decimal

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest

from producer.domain.draft import OrderBatch, OrderDraft, RandomOrders, StatusChange
from producer.web import errors
from producer.web.errors import InvalidFields
from producer.web.strict_json import NotANumber, parse, read_body

MODELS: list[type[BaseModel]] = [OrderDraft, OrderBatch, RandomOrders, StatusChange]
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,25})?", fullmatch=True)
STRINGS = st.text(st.characters(), max_size=12).map(json.dumps)
PAIRS = st.lists(
    st.tuples(st.one_of(STRINGS, st.sampled_from(['"quantity"', '"item"'])), st.one_of(NUMBERS, STRINGS)),
    max_size=5,
)


@pytest.mark.parametrize(
    "number", ["1e999999999999999999999", "-1e999999999999999999999", "0e9999999999999999999"]
)
def test_number_beyond_decimal_is_left_for_its_field_to_refuse(number: str) -> None:
    assert parse(f'{{"quantity":{number}}}'.encode()) == {"quantity": NotANumber(number)}


@pytest.mark.parametrize(
    "body",
    [
        rb'{"\ud800":1}',
        rb'{"\ud800":1,"\ud800":2}',
        rb'{"a\udfffb":1}',
        rb'{"orders":[{"\ud800":1}]}',
    ],
)
def test_name_with_an_unpaired_surrogate_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="unpaired surrogate"):
        parse(body)


def test_name_with_a_surrogate_pair_is_one_character() -> None:
    assert parse(rb'{"\ud83d\ude00":1}') == {"\U0001f600": 1}


def test_pointer_to_a_duplicate_name_is_escaped() -> None:
    with pytest.raises(InvalidFields) as refusal:
        parse(b'{"a/b~":1,"a/b~":2}')
    assert [error.pointer for error in refusal.value.errors] == ["/a~1b~0"]


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    """An application that only reads bodies: `POST /<number of the model>`."""
    app = Flask("test")
    errors.init_app(app)

    @app.post("/<int:number>")
    def read(number: int) -> str:
        read_body(request, MODELS[number])
        return ""

    return app.test_client()


@pytest.mark.parametrize("number", range(len(MODELS)), ids=[model.__name__ for model in MODELS])
@given(PAIRS)
@example([('"quantity"', "1e999999999999999999999")])
@example([(r'"\ud800"', "1"), (r'"\ud800"', "2")])
def test_every_object_is_read_or_answered_with_a_problem(
    client: FlaskClient, number: int, pairs: list[tuple[str, str]]
) -> None:
    body = "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
    response = client.post(f"/{number}", data=body, content_type="application/json")
    assert response.status_code in (200, 400, 422)
    if response.status_code != 200:
        assert json.loads(response.data)["status"] == response.status_code


def test_fraction_keeps_its_digits() -> None:
    assert parse(b"0.10") == Decimal("0.10")
