import sys
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from producer.domain.draft import _FORBIDDEN, OrderDraft, RandomOrders
from producer.domain.models import NewOrder, Order
from tests.shop import ORDER

# Every text field with its limit, also those that are added: the rules of text hold for all of them.
FIELDS = OrderDraft.model_json_schema()
TEXT_LIMITS: dict[str, int] = {
    name: field["maxLength"] for name, field in FIELDS["properties"].items() if "maxLength" in field
}
FILLED = [name for name in TEXT_LIMITS if name in FIELDS["required"]]

DIRECTION = [
    "ARABIC LETTER MARK",
    "LEFT-TO-RIGHT MARK",
    "RIGHT-TO-LEFT MARK",
    "LEFT-TO-RIGHT EMBEDDING",
    "RIGHT-TO-LEFT EMBEDDING",
    "POP DIRECTIONAL FORMATTING",
    "LEFT-TO-RIGHT OVERRIDE",
    "RIGHT-TO-LEFT OVERRIDE",
    "LEFT-TO-RIGHT ISOLATE",
    "RIGHT-TO-LEFT ISOLATE",
    "FIRST STRONG ISOLATE",
    "POP DIRECTIONAL ISOLATE",
]


def draft(**changes: Any) -> OrderDraft:
    return OrderDraft.model_validate(ORDER | changes)


def refused_field(**changes: Any) -> str:
    """Return the name of the one field that is refused."""
    with pytest.raises(ValidationError) as refusal:
        draft(**changes)
    (error,) = refusal.value.errors()
    return str(error["loc"][0])


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("32.00", "32.00"),
        ("1", "1.00"),
        ("0.01", "0.01"),
        ("1.5", "1.50"),
        ("9999999999.99", "9999999999.99"),
    ],
)
def test_price_is_a_decimal_with_two_places(text: str, price: str) -> None:
    assert str(draft(unit_price=text).unit_price) == price


@pytest.mark.parametrize(
    "price",
    [
        "0", "0.00", "-1", "+1", "1.005", "1e2", "1E400", "NaN", "sNaN", "Infinity", "1_000", " 1.00",
        "1.00\n", "1,00", "", ".5", "5.", "10000000000", "١٢", 32, 32.0, Decimal("32.00"), True, None, ["1"],
    ],
)  # fmt: skip
def test_invalid_price_is_refused(price: Any) -> None:
    assert refused_field(unit_price=price) == "unit_price"


@pytest.mark.parametrize("quantity", [0, -1, 10_001, 1.0, "2", True, None, 10**400])
def test_invalid_quantity_is_refused(quantity: Any) -> None:
    assert refused_field(quantity=quantity) == "quantity"


def test_longest_text_and_largest_quantity_are_accepted() -> None:
    widest = draft(customer_name="c" * 100, item="i" * 200, description="d" * 1000, quantity=10_000)
    assert (len(widest.customer_name), len(widest.item), len(widest.description)) == (100, 200, 1000)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("customer_name", ""),
        ("customer_name", "  \u00a0 "),
        ("customer_name", "c" * 101),
        ("item", "i" * 201),
        ("item", ""),
        ("description", "d" * 1001),
        ("customer_name", "nul\x00"),
        ("item", "line\nbreak"),
        ("item", "escape\x1b[31m"),
        ("item", "c1\x85"),
        ("description", "bidi\u202e"),
        ("description", "isolate\u2066"),
        ("customer_name", "half \ud83d of a pair"),
        ("customer_name", 7),
        ("customer_name", None),
    ],
)
def test_invalid_text_is_refused(field: str, text: Any) -> None:
    assert refused_field(**{field: text}) == field


@pytest.mark.parametrize("field", TEXT_LIMITS)
def test_every_text_field_has_the_rules_of_text(field: str) -> None:
    limit = TEXT_LIMITS[field]
    for text in ("x" * (limit + 1), "nul\x00", "line\nbreak", "bidi\u202e", "half \ud83d of a pair", 7, None):
        assert refused_field(**{field: text}) == field
    assert getattr(draft(**{field: "  " + "x" * limit + " "}), field) == "x" * limit


@pytest.mark.parametrize("field", FILLED)
def test_required_text_is_not_empty(field: str) -> None:
    for text in ("", "  \u00a0 "):
        assert refused_field(**{field: text}) == field


def test_text_fields_are_found() -> None:
    assert {"customer_name": 100, "item": 200, "description": 1000}.items() <= TEXT_LIMITS.items()
    assert {"customer_name", "item"} <= set(FILLED)


def test_text_is_trimmed_and_composed() -> None:
    assert draft(customer_name="  Jose\u0301 ").customer_name == "José"


def test_length_of_text_is_counted_after_composing() -> None:
    assert len(draft(customer_name="e\u0301" * 100).customer_name) == 100


def test_joined_emoji_and_every_script_are_valid_text() -> None:
    name = "Zoë 李小龙 عمر 👩\u200d👩\u200d👧"
    assert draft(customer_name=name).customer_name == name


def test_unknown_field_is_refused() -> None:
    assert refused_field(status="shipped") == "status"


def test_description_may_be_left_out() -> None:
    assert draft().description == ""


@pytest.mark.parametrize("count", [0, -1, 1001, "5", 2.0, True, None])
def test_invalid_count_of_random_orders_is_refused(count: Any) -> None:
    with pytest.raises(ValidationError):
        RandomOrders.model_validate({"count": count})


def test_forbidden_are_control_characters_surrogates_and_what_changes_the_direction_of_text() -> None:
    direction = {unicodedata.lookup(name) for name in DIRECTION}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        forbidden = unicodedata.category(character) in ("Cc", "Cs") or character in direction
        assert bool(_FORBIDDEN.search(character)) == forbidden, hex(code)


def test_new_order_has_the_fields_of_an_order() -> None:
    """All but the times of its changes, which begin empty in the database."""
    columns = [column.name for column in Order.__table__.columns]
    assert [*NewOrder._fields, "changed_at"] == columns
