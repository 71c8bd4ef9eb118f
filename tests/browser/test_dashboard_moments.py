"""The dashboard at awkward moments: when buttons are pressed twice, or too early. What happens to whole browsers is in
test_both_browsers.py."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import Stack

OpenDashboard = Callable[[], Page]


@pytest.fixture
def open_dashboard(browser: Browser, running_stack: Stack) -> Iterator[OpenDashboard]:
    """Open the dashboard in a browser whose clipboard may be used."""
    contexts = []

    def open_page() -> Page:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(running_stack.env["CONSUMER_URL"] + "/")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_order_id_is_back_after_it_was_copied_twice(open_dashboard: OpenDashboard, shop: Shop) -> None:
    order_id = shop.place()
    page = open_dashboard()
    button = page.locator(f'#rows button[data-copy="{order_id}"]')
    button.click()
    button.click()
    expect(button).to_have_text("copied")
    expect(button).to_have_attribute("aria-label", "Order ID copied")
    expect(button).to_have_text(f"{order_id[:8]}…{order_id[-4:]}")
    assert page.evaluate("navigator.clipboard.readText()") == order_id


def test_table_cleared_while_history_loads_stays_clear(open_dashboard: OpenDashboard, shop: Shop) -> None:
    shop.post("/orders/random", {"count": 150})
    eventually(lambda: shop.count_outbox_rows() == 0)
    page = open_dashboard()
    expect(page.locator("#rows tr")).to_have_count(99)

    def clear_meanwhile(route: Route) -> None:
        response = route.fetch()
        page.get_by_role("button", name="Clear table").click()
        route.fulfill(response=response)

    page.route("**/events?*", clear_meanwhile, times=1)
    with page.expect_event("requestfinished", lambda request: "/events?" in request.url):
        page.get_by_role("button", name="Load history").click()
    expect(page.locator("#message")).to_have_text(re.compile("cleared|older"))
    expect(page.locator("#rows tr")).to_have_count(0)


def test_full_text_is_shown_without_a_mouse(open_dashboard: OpenDashboard, shop: Shop) -> None:
    order_id = shop.place(item="A very long name of an item " * 5)
    page = open_dashboard()
    button = page.locator(f'button[data-copy="{order_id}"]')
    item = page.locator("#rows tr", has=button).locator(".c-item")
    is_cut_off = "cell => cell.scrollWidth > cell.clientWidth"
    assert item.evaluate(is_cut_off)
    button.focus()
    assert not item.evaluate(is_cut_off)
