"""What the pages say when something is not as usual, as a reader sees it: in words, and for as long as it holds.

What the scripts decide is tested in tests/javascript; here, that the stylesheets and the browser let it be seen.
"""

import re

from playwright.sync_api import Page, Route, expect

from producer.domain.status import Status
from tests.browser.conftest import OpenPage
from tests.browser.test_checkout import fill
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import Stack

GAP = 'event: gap\ndata: {"reason":"overflow","from":null,"to":"x","lost":{"0":[120,340],"3":[7,8]}}\n\n'
BUSY = 'retry: 60000\n\nevent: busy\ndata: {"reason":"streams"}\n\n'


def stream_of(text: str, page: Page, running_stack: Stack) -> None:
    """Let the page's streams consist of this text."""
    page.route(
        f"{running_stack.env['CONSUMER_URL']}/stream*",
        lambda route: route.fulfill(content_type="text/event-stream", body=text),
    )
    page.reload()


def test_gap_is_seen_with_its_number_until_it_is_dismissed(open_page: OpenPage, running_stack: Stack) -> None:
    page = open_page("CONSUMER_URL")
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.get_by_role("alert")).to_be_hidden()
    stream_of(f"retry: 60000\n\n{GAP}", page, running_stack)
    notice = page.get_by_role("alert")
    expect(notice).to_be_visible()
    expect(notice).to_contain_text("221 events were skipped")
    page.get_by_role("button", name="Dismiss").click()
    expect(notice).to_be_hidden()


def test_full_server_is_told_in_a_word_a_sentence_and_a_colour(
    open_page: OpenPage, running_stack: Stack
) -> None:
    page = open_page("CONSUMER_URL")
    dot = page.locator("#connection .dot")
    colour = "dot => getComputedStyle(dot).backgroundColor"
    expect(page.locator("#connection-word")).to_have_text("live")
    live = dot.evaluate(colour)
    stream_of(BUSY, page, running_stack)
    expect(page.locator("#connection-word")).to_have_text("busy")
    expect(page.locator("#connection-note")).to_contain_text("limit of viewers")
    assert dot.evaluate(colour) != live


def test_figures_are_those_of_the_orders_that_were_placed(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("CONSUMER_URL")
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page.locator("#count")).to_have_text("0")
    for _ in range(3):
        order_id = shop.place(item="Counted", quantity=7, unit_price="1234.50")
    shop.change_status(order_id, Status.CONFIRMED)
    expect(page.locator("#count")).to_have_text("4")
    expect(page.locator("#last-note")).to_have_text("order.confirmed · Counted")
    expect(page.locator("#latency")).to_have_text(re.compile(r"^\d+ ms$|^\d\.\d s$"))
    expect(page.locator("#latency-note")).to_have_text(re.compile(r"^p50, last minute; p95 \d"))
    cells = page.locator("#rows tr").first.locator("td")
    expect(cells).to_have_text(
        [
            "order.confirmed",
            re.compile(f"^{order_id[:8]}"),
            "Ada",
            "Counted",
            "1234.50",
            "7",
            "confirmed",
            re.compile("ago|now"),
        ]
    )
    expect(page.locator("#rows")).not_to_contain_text(re.compile("undefined|NaN|null|object Object"))


def test_history_button_is_off_at_the_beginning_of_the_topic(open_page: OpenPage, shop: Shop) -> None:
    shop.post("/orders/random", {"count": 150})
    eventually(lambda: shop.count_outbox_rows() == 0)
    page = open_page("CONSUMER_URL")
    button = page.get_by_role("button", name="Load history")
    expect(button).to_be_enabled()

    def end_of_history(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={"events": [], "before": None})

    page.route("**/events?*", end_of_history)
    button.click()
    expect(page.locator("#message")).to_have_text("There are no older events.")
    expect(button).to_be_disabled()
    page.get_by_role("button", name="Clear table").click()
    expect(button).to_be_enabled()


def test_order_that_somebody_else_has_changed_is_not_overwritten(open_page: OpenPage, shop: Shop) -> None:
    order_id = shop.place(customer_name="Two at once")
    page = open_page("PRODUCER_URL")
    row = page.locator("#recent tr", has_text="Two at once").first
    confirm = row.get_by_role("button", name=re.compile("^Confirm"))
    expect(confirm).to_be_visible()
    page.route("**/orders?*", lambda route: route.abort())  # this page does not hear of it
    shop.change_status(order_id, Status.CANCELLED)
    confirm.click()
    expect(row).to_contain_text("Somebody else has changed this order")
    page.unroute("**/orders?*")
    expect(row.locator(".status")).to_have_text(re.compile("cancelled", re.IGNORECASE))
    expect(row.get_by_role("button", name=re.compile("^(Confirm|Ship|Cancel)"))).to_have_count(0)


def test_order_whose_answer_was_lost_is_placed_once(open_page: OpenPage, shop: Shop) -> None:
    before = shop.count_orders()
    page = open_page("PRODUCER_URL")
    fill(page, customer_name="Answered once")

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/orders", lose_the_answer, times=1)
    page.get_by_role("button", name="Confirm order").click()
    expect(page.locator("#result")).to_contain_text("will not be placed twice")
    eventually(lambda: shop.count_orders() == before + 1)
    page.get_by_role("button", name="Confirm order").click()
    expect(page.locator("#result")).to_contain_text("Order placed")
    assert shop.count_orders() == before + 1


def test_errors_stand_beside_their_fields_in_words(open_page: OpenPage) -> None:
    page = open_page("PRODUCER_URL")
    fill(page, unit_price="1.005", quantity="10001")
    expect(page.locator("#total")).to_have_text("\N{EN DASH}")
    page.get_by_role("button", name="Confirm order").click()
    expect(page.locator("#result")).to_have_text("Not placed: please correct the marked fields.")
    expect(page.locator("#unit_price-error")).to_have_text(re.compile("^Unit price: .+"))
    expect(page.locator("#quantity-error")).to_have_text(re.compile("^Quantity: .*10000"))
    fill(page)
    expect(page.locator("#unit_price-error")).to_be_hidden()
