import pytest
from werkzeug.exceptions import HTTPException

from producer.web.errors import InvalidFields
from producer.web.strict_json import NotANumber, parse


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1',
        b"{'a':1}",
        b'{"a":1}x',
        b'{"a":1,"a":2}',
        b'{"o":{"a":1,"a":1}}',
        b"\xff\xfe",
        '{"a":1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a":1}',
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(HTTPException) as refusal:
        parse(body)
    assert refusal.value.code == 400


def test_duplicate_field_is_named() -> None:
    with pytest.raises(InvalidFields) as refusal:
        parse(b'{"item":"a","item":"b"}')
    assert [error.pointer for error in refusal.value.errors] == ["/item"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_kept_for_their_field_to_refuse(text: str) -> None:
    assert parse(f'{{"unit_price":{text}}}'.encode()) == {"unit_price": NotANumber(text)}


def test_number_beyond_the_float_range_is_not_infinity() -> None:
    assert str(parse(b'{"quantity":1e400}')["quantity"]) == "1E+400"
