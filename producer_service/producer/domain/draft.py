"""What a customer asks for, checked before anything is stored.

Strict on purpose: JSON numbers are not money, `"1_000"`, `" 1.00"` and Arabic digits are not prices (Decimal
would take them), and True is not a quantity.
"""

import re
import unicodedata
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from producer.domain.status import TARGETS, Status

_CENTS = Decimal("0.01")
_PRICE = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
# Control characters (Cc, NUL and line breaks among them), unpaired surrogates (Cs) and what changes the direction of
# text: all break readers.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _price(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise ValueError('must be a string such as "32.00"')
    if not _PRICE.fullmatch(value):
        raise ValueError("must be 1 to 10 digits, optionally followed by a point and one or two decimals")
    price = Decimal(value)
    if price <= 0:
        raise ValueError("must be greater than 0")
    return price.quantize(_CENTS)


def _clean(value: Any) -> Any:
    """Normalise to NFC and trim, before the length is checked: the stored text has the checked length."""
    if not isinstance(value, str):
        return value
    if (found := _FORBIDDEN.search(value)) is not None:
        raise ValueError(f"must not contain the character U+{ord(found[0]):04X}")
    return unicodedata.normalize("NFC", value).strip()


def _filled(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _target(value: Any) -> Status:
    """Accept a status that some transition leads to."""
    if not isinstance(value, str) or value not in TARGETS:
        names = [f"'{target}'" for target in TARGETS]
        raise ValueError(f"must be {', '.join(names[:-1])} or {names[-1]}")
    return Status(value)


# Pydantic cannot see what a function checks, so the schema says it again. A test compares both.
Text = Annotated[str, BeforeValidator(_clean)]
FilledText = Annotated[Text, AfterValidator(_filled), Field(json_schema_extra={"minLength": 1})]
Price = Annotated[
    Decimal,
    BeforeValidator(_price),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(?=.*[1-9])[0-9]{1,10}(\.[0-9]{1,2})?$",
            "examples": ["32.00"],
            "description": "Greater than 0, at most two decimals.",
        }
    ),
]
Target = Annotated[
    Status,
    BeforeValidator(_target),
    WithJsonSchema({"enum": [target.value for target in TARGETS], "type": "string"}),
]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class OrderDraft(_Strict):
    """An order before it is placed. unit_price: with two decimals, up to 9999999999.99."""

    customer_name: Annotated[FilledText, Field(max_length=100)]
    item: Annotated[FilledText, Field(max_length=200)]
    description: Annotated[Text, Field(max_length=1000)] = ""
    unit_price: Price
    quantity: Annotated[int, Field(ge=1, le=10_000)]


class OrderBatch(_Strict):
    """Orders that are placed together: all or none."""

    orders: Annotated[list[OrderDraft], Field(min_length=1, max_length=1000)]


class StatusChange(_Strict):
    """The status an order is to have next."""

    status: Target


class RandomOrders(_Strict):
    """How many orders to make up."""

    count: Annotated[int, Field(ge=1, le=1000)]
