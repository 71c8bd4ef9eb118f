import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_ui.messages.message import keep
from kafka_ui.messages.text import indented, show

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_indented_json_says_the_same(value: object, is_compact: bool) -> None:
    text = json.dumps(value, separators=(",", ":") if is_compact else None)
    assert json.loads(indented(text)) == value


def test_json_is_indented_and_its_numbers_and_names_are_left_as_they_came() -> None:
    shown = show(keep(b'{"a":1.00,"a":{},"b":[1,"x{y"]}', 1000))
    assert shown.kind == "json"
    assert shown.text == '{\n  "a": 1.00,\n  "a": {},\n  "b": [\n    1,\n    "x{y"\n  ]\n}'


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (None, "null", ""),
        (b"", "empty", ""),
        (b"plain", "text", "plain"),
        ("Größe".encode(), "text", "Größe"),
        (b"{not json", "text", "{not json"),
        (b"[" * 100_000, "text", None),
        (b"\xff\xfe", "bytes", "000000  ff fe                                            .."),
        (b"a\0b", "bytes", None),
        ("a\u202eb".encode(), "text", "a\\u202eb"),
    ],
)
def test_value_is_shown_as_what_it_is(data: bytes | None, kind: str, text: str | None) -> None:
    shown = show(keep(data, 200_000))
    assert shown.kind == kind
    assert text is None or shown.text == text


@given(st.binary(max_size=200), st.integers(1, 200))
def test_any_bytes_can_be_shown(data: bytes, most: int) -> None:
    show(keep(data, most))


def test_what_is_cut_off_is_told() -> None:
    assert show(keep(b"x" * 1000, 10)).note == "the first 10 of 1,000 bytes"
    assert show(keep("é".encode() * 10, 3)) == ("text", "é", "the first 3 of 20 bytes")
    assert show(keep(b"\xff" * 5000, 4000)).note == "the first 512 of 5,000 bytes"
