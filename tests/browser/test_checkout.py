"""The checkout page and the API's documentation in a browser."""

import re

import requests
from playwright.sync_api import Page, expect

from local_stack.services import PRODUCER
from tests.browser.conftest import OpenPage
from tests.shop import DELIVERY, ORDER, Shop
from tests.stack import Stack


def fill(page: Page, **fields: str) -> None:
    defaults = ORDER | {"customer_name": "Ada Lovelace", "unit_price": "32.10", "quantity": 3}
    for name, value in (defaults | fields).items():
        page.locator(f"#{name}").fill(str(value))


def test_placed_order_appears_in_two_open_dashboards(open_page: OpenPage) -> None:
    dashboards = [open_page("CONSUMER_URL"), open_page("CONSUMER_URL")]
    for dashboard in dashboards:
        expect(dashboard.locator("#connection-word")).to_have_text("live")
    checkout = open_page("PRODUCER_URL")
    fill(checkout, customer_name="Zoë <b>Ångström</b>")
    expect(checkout.locator("#total")).to_have_text("96.30")
    checkout.get_by_role("button", name="Confirm order").click()
    expect(checkout.locator("#result")).to_contain_text("Order placed")
    for dashboard in dashboards:
        row = dashboard.locator("#rows tr").first
        expect(row).to_contain_text("Zoë <b>Ångström</b>")
        expect(row).to_contain_text("32.10")


def test_invalid_fields_show_their_errors_and_the_first_field_is_focused(open_page: OpenPage) -> None:
    page = open_page("PRODUCER_URL")
    fill(page, customer_name="", unit_price="1.005", quantity="0")
    page.get_by_role("button", name="Confirm order").click()
    expect(page.locator("#customer_name")).to_be_focused()
    for field in ("customer_name", "unit_price", "quantity"):
        expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
        expect(page.locator(f"#{field}-error")).to_be_visible()
    expect(page.locator("#item-error")).to_be_hidden()


def test_double_click_places_one_order(open_page: OpenPage, shop: Shop) -> None:
    before = shop.count_orders()
    page = open_page("PRODUCER_URL")
    fill(page)
    page.get_by_role("button", name="Confirm order").dblclick()
    expect(page.locator("#result")).to_contain_text("Order placed")
    assert shop.count_orders() == before + 1


def test_two_hundred_random_orders_are_placed(open_page: OpenPage, shop: Shop) -> None:
    before = shop.count_orders()
    page = open_page("PRODUCER_URL")
    page.locator("#count").fill("200")
    page.get_by_role("button", name="Generate random orders").click()
    expect(page.locator("#generated")).to_have_text("200 of 200 placed.")
    expect(page.locator("#progress")).to_have_js_property("value", 200)
    assert shop.count_orders() == before + 200


def test_order_is_taken_through_its_transitions(open_page: OpenPage, shop: Shop) -> None:
    order_id = shop.place(customer_name="Grace Hopper")
    page = open_page("PRODUCER_URL")
    row = page.locator("#recent tr", has_text="Grace Hopper").first
    for button, status in zip(("Confirm", "Ship", "Deliver"), DELIVERY, strict=True):
        row.get_by_role("button", name=re.compile(f"^{button}")).click()
        expect(row.locator(".status")).to_have_text(re.compile(status, re.IGNORECASE))
    expect(row.locator(".actions button")).to_have_count(0)
    order = requests.get(f"{shop.url}/orders/{order_id}", timeout=10).json()
    assert (order["status"], order["version"]) == (DELIVERY[-1], 1 + len(DELIVERY))


def test_checkout_can_be_used_without_a_mouse(open_page: OpenPage) -> None:
    page = open_page("PRODUCER_URL")
    page.locator("#customer_name").focus()
    for text in ("Ada", "Mug", "with a handle", "4.50"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_contain_text("Order placed")


def test_checkout_reports_a_stopped_producer_and_recovers(restored_stack: Stack, open_page: OpenPage) -> None:
    page = open_page("PRODUCER_URL")
    expect(page.locator("#recent-state")).to_have_attribute("data-state", "live")
    restored_stack.run("stop", PRODUCER)
    expect(page.locator("#recent-state")).not_to_have_attribute("data-state", "live")
    fill(page)
    page.get_by_role("button", name="Confirm order").click()
    expect(page.locator("#result")).to_contain_text("will not be placed twice")
    restored_stack.run("start", PRODUCER)
    page.get_by_role("button", name="Confirm order").click()
    expect(page.locator("#result")).to_contain_text("Order placed")


def test_docs_page_can_execute_an_operation(open_page: OpenPage) -> None:
    page = open_page("PRODUCER_URL", "/docs")
    operation = page.locator(".opblock-post", has_text="/orders").first
    operation.click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("201")
