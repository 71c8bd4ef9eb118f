from decimal import Decimal

import pytest

from producer.demo.catalogue import ITEMS
from producer.demo.random_orders import random_draft
from producer.domain.draft import OrderDraft


@pytest.fixture(scope="module")
def drafts() -> list[OrderDraft]:
    return [random_draft() for _ in range(1000)]


def test_random_orders_pass_the_validation_of_real_ones(drafts: list[OrderDraft]) -> None:
    for draft in drafts:
        body = draft.model_dump() | {"unit_price": str(draft.unit_price)}
        assert OrderDraft.model_validate(body) == draft


def test_customers_and_items_of_random_orders_vary(drafts: list[OrderDraft]) -> None:
    assert len({draft.customer_name for draft in drafts}) > 900
    assert {draft.item for draft in drafts} <= {item.name for item in ITEMS}
    assert len({draft.item for draft in drafts}) > 30


def test_price_of_a_random_order_is_in_the_range_of_the_catalogue(drafts: list[OrderDraft]) -> None:
    ranges = {item.name: (Decimal(item.low), Decimal(item.high)) for item in ITEMS}
    for draft in drafts:
        low, high = ranges[draft.item]
        assert low <= draft.unit_price < high


def test_customer_of_a_random_order_has_a_first_and_a_last_name(drafts: list[OrderDraft]) -> None:
    assert all(" " in draft.customer_name for draft in drafts)
