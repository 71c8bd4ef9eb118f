"""The dashboard at awkward moments: while the consumer starts, with a wrong clock, when buttons are pressed twice."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import Stack

OpenPrepared = Callable[..., Page]
AN_HOUR_AHEAD = "const now = Date.now; Date.now = () => now() + 3_600_000;"


@pytest.fixture
def open_prepared(browser: Browser, running_stack: Stack) -> Iterator[OpenPrepared]:
    """Open the dashboard on a page that `prepare` was called with before; `script` runs before the page's own."""
    contexts = []

    def open_page(prepare: Callable[[Page], None] = lambda page: None, script: str = "") -> Page:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        contexts.append(context)
        context.add_init_script(script)
        page = context.new_page()
        page.set_default_timeout(20_000)
        prepare(page)
        page.goto(running_stack.env["CONSUMER_URL"] + "/")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_page_rendered_without_a_position_misses_no_event(
    open_prepared: OpenPrepared, running_stack: Stack, shop: Shop
) -> None:
    """As while the consumer starts: history is loaded, then events arrive, then the stream begins."""
    shop.place(customer_name="Earlier")
    eventually(lambda: shop.count_outbox_rows() == 0)

    def remove_position(route: Route) -> None:
        response = route.fetch()
        page = re.sub(r'data-position="[^"]*"', 'data-position=""', response.text())
        route.fulfill(response=response, body=page)

    def begin_late(route: Route) -> None:
        for number in range(5):
            shop.place(customer_name=f"In between {number}")
        eventually(lambda: shop.count_outbox_rows() == 0)
        route.continue_()

    def prepare(page: Page) -> None:
        page.route(running_stack.env["CONSUMER_URL"] + "/", remove_position)
        page.route("**/stream*", begin_late, times=1)

    page = open_prepared(prepare)
    expect(page.locator("#connection-word")).to_have_text("live")
    for name in ("Earlier", *(f"In between {number}" for number in range(5))):
        expect(page.locator("#rows tr", has_text=name).first).to_be_visible()


def test_latency_and_ages_are_right_in_a_browser_whose_clock_is_an_hour_ahead(
    open_prepared: OpenPrepared, shop: Shop
) -> None:
    page = open_prepared(script=AN_HOUR_AHEAD)
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.locator("#empty-title")).not_to_have_text("Loading the latest events…")
    shop.place(customer_name="An hour ahead")
    expect(page.locator("#latency")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(page.locator("#rows tr", has_text="An hour ahead").locator("time")).to_have_text(
        re.compile(r"just now|\d+ s ago")
    )


def test_order_id_is_back_after_it_was_copied_twice(open_prepared: OpenPrepared, shop: Shop) -> None:
    order_id = shop.place()
    page = open_prepared()
    button = page.locator(f'#rows button[data-copy="{order_id}"]')
    button.click()
    button.click()
    expect(button).to_have_text("copied")
    expect(button).to_have_attribute("aria-label", "Order ID copied")
    expect(button).to_have_text(f"{order_id[:8]}…{order_id[-4:]}")
    assert page.evaluate("navigator.clipboard.readText()") == order_id


def test_table_cleared_while_history_loads_stays_clear(open_prepared: OpenPrepared, shop: Shop) -> None:
    shop.post("/orders/random", {"count": 150})
    eventually(lambda: shop.count_outbox_rows() == 0)
    page = open_prepared()
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


def test_full_text_is_shown_without_a_mouse(open_prepared: OpenPrepared, shop: Shop) -> None:
    order_id = shop.place(item="A very long name of an item " * 5)
    page = open_prepared()
    button = page.locator(f'button[data-copy="{order_id}"]')
    item = page.locator("#rows tr", has=button).locator(".c-item")
    is_cut_off = "cell => cell.scrollWidth > cell.clientWidth"
    assert item.evaluate(is_cut_off)
    button.focus()
    assert not item.evaluate(is_cut_off)
