"""The orders that README sends with curl are orders that the API takes, or refuses as README says."""

import json
import re

import pytest
from pydantic import ValidationError

from producer.domain.draft import OrderDraft
from tests.project import ROOT

README = (ROOT / "README.md").read_text()
ORDERS = [
    json.loads(body) for body in re.findall(r"curl [^\n]*/orders -H [^\n]*\\\n\s+-d '(\{.*\})'", README)
]


def test_readme_places_an_order() -> None:
    assert OrderDraft.model_validate(ORDERS[0])


def test_readme_shows_the_refusal_of_one_field() -> None:
    with pytest.raises(ValidationError) as refusal:
        OrderDraft.model_validate(ORDERS[1])
    (error,) = refusal.value.errors()
    assert error["loc"] == ("unit_price",)
    assert error["msg"].removeprefix("Value error, ") in README
