"""The dashboard in a browser."""

import json
import uuid
from collections.abc import Callable

import pytest
import requests
from confluent_kafka import Producer
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import Stack

MakeHistory = Callable[[int], None]


@pytest.fixture
def make_history(running_stack: Stack, shop: Shop) -> MakeHistory:
    """Place this many random orders and one more; return when the history has them and the outbox is empty."""

    def make(count: int) -> None:
        shop.post("/orders/random", {"count": count})
        last = shop.place()
        events = f"{running_stack.env['CONSUMER_URL']}/events?limit={min(200, count)}"

        def is_shown() -> bool:
            return last in [event["subject"] for event in requests.get(events, timeout=10).json()["events"]]

        eventually(is_shown)
        eventually(lambda: shop.count_outbox_rows() == 0)

    return make


def test_dashboard_opens_with_the_history_and_follows_the_stream(
    open_page: OpenPage, shop: Shop, make_history: MakeHistory
) -> None:
    make_history(120)
    page = open_page("CONSUMER_URL")
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.locator("#rows tr")).to_have_count(99)
    shop.place(customer_name="The newest")
    expect(page.locator("#rows tr").first).to_contain_text("The newest")
    expect(page.locator("#count")).to_have_text("1")


def test_dashboard_loads_older_history_and_clears_the_table(
    open_page: OpenPage, make_history: MakeHistory
) -> None:
    make_history(300)
    page = open_page("CONSUMER_URL")
    expect(page.locator("#rows tr")).to_have_count(99)
    page.get_by_role("button", name="Load history").click()
    expect(page.locator("#rows tr")).to_have_count(199)
    page.get_by_role("button", name="Load history").click()
    expect(page.locator("#rows tr")).to_have_count(299)
    page.get_by_role("button", name="Clear table").click()
    expect(page.locator("#rows tr")).to_have_count(0)
    expect(page.locator("#empty")).to_be_visible()


def test_dashboard_shows_at_most_a_thousand_rows(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("CONSUMER_URL")
    expect(page.locator("#connection-word")).to_have_text("live")
    for _ in range(2):
        shop.post("/orders/random", {"count": 1000})
    expect(page.locator("#count")).to_have_text("2,000")
    expect(page.locator("#rows tr")).to_have_count(1000)


def test_test_event_is_shown_in_every_dashboard(open_page: OpenPage) -> None:
    first, second = open_page("CONSUMER_URL"), open_page("CONSUMER_URL")
    for page in (first, second):
        expect(page.locator("#connection-word")).to_have_text("live")
    first.get_by_role("button", name="Send test event").click()
    for page in (first, second):
        expect(page.locator("#rows tr").first).to_contain_text("test.event")


def test_hostile_event_takes_no_other_with_it(open_page: OpenPage, running_stack: Stack, shop: Shop) -> None:
    """Whoever may write to the topic can send values that are not texts and cannot be made texts."""
    page = open_page("CONSUMER_URL")
    expect(page.locator("#connection-word")).to_have_text("live")
    trap = {"toString": 1, "valueOf": 1}
    event = {
        "specversion": "1.0", "id": str(uuid.uuid4()), "type": "order.placed", "subject": "hostile", "time": trap,
        "data": {"version": 1, "item": trap, "order_id": trap, "placed_at": trap, "quantity": [trap], "status": None},
    }  # fmt: skip
    foreign = Producer({"bootstrap.servers": running_stack.env["KAFKA_BOOTSTRAP_SERVERS"]})
    foreign.produce("orders", json.dumps(event), key=b"hostile")
    assert foreign.flush(15) == 0
    shop.place(customer_name="After the hostile one")
    for _ in ("from the stream", "from the history"):
        expect(page.locator("#rows tr", has_text="After the hostile one")).to_have_count(1)
        expect(page.locator("#rows tr", has_text='{"toString":1,"valueOf":1}')).to_have_count(1)
        expect(page.locator("#last-note")).to_contain_text("order.placed")
        page.reload()
