"""Kafka UI in a browser, and the links to it."""

from playwright.sync_api import expect

from local_stack.services import KAFKA_UI
from producer.domain.status import Status
from tests.browser.conftest import OpenPage
from tests.shop import Shop
from tests.stack import Stack


def test_row_of_the_dashboard_leads_to_the_message_of_its_event(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("CONSUMER_URL")
    expect(page.locator("#connection-word")).to_have_text("live")
    order = shop.place()
    shop.change_status(order, Status.CONFIRMED)
    row = page.locator("#rows tr", has_text="order.confirmed").first
    expect(row.locator("[data-copy]")).to_have_attribute("data-copy", order)
    row.get_by_role("link", name="order.confirmed").click()
    marked = page.locator("[data-marked]")
    expect(marked.locator("pre")).to_contain_text('"status": "confirmed"')
    expect(marked.locator("pre")).to_be_in_viewport()
    expect(page.locator(".message")).to_have_count(2)


def test_order_id_leads_to_all_its_messages_in_order(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("CONSUMER_URL")
    expect(page.locator("#connection-word")).to_have_text("live")
    order = shop.place()
    shop.change_status(order, Status.CONFIRMED)
    row = page.locator("#rows tr", has=page.locator(f'[data-copy="{order}"]')).first
    expect(row).to_contain_text("order.confirmed")  # Kafka UI shows what is there when it is asked
    row.get_by_role("link", name="all messages of this order").click()
    values = page.locator(".message pre")
    expect(values).to_have_count(2)
    expect(values.nth(0)).to_contain_text('"version": 1')
    expect(values.nth(1)).to_contain_text('"version": 2')


def test_live_tail_shows_an_order_and_ends_when_it_is_switched_off(open_page: OpenPage, shop: Shop) -> None:
    page = open_page("KAFKA_UI_URL", "/topics/orders/messages")
    button = page.get_by_role("button", name="Live tail")
    button.press("Enter")
    expect(page.locator("#live-state")).to_contain_text("as it comes in")
    order = shop.place(customer_name="<b>Live</b>")
    first = page.locator("#live-list .message").first
    expect(first).to_contain_text(order)
    first.locator("summary").click()
    expect(first.locator("pre")).to_contain_text("<b>Live</b>")
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#found")).to_be_visible()


def test_cluster_page_notices_by_itself_that_a_broker_is_away(
    open_page: OpenPage, restored_stack: Stack
) -> None:
    page = open_page("KAFKA_UI_URL")
    verdict = page.get_by_role("status")
    expect(verdict).to_contain_text("All brokers are up")
    restored_stack.run("stop", "kafka-2")
    expect(verdict).to_contain_text("kafka-2 is away: 6 of 6 partitions have 2 of 3 replicas")
    expect(page.locator("table")).to_contain_text("away")


def test_page_says_when_kafka_ui_itself_is_gone(open_page: OpenPage, restored_stack: Stack) -> None:
    page = open_page("KAFKA_UI_URL")
    expect(page.locator("#stale")).to_be_hidden()
    restored_stack.run("stop", KAFKA_UI)
    expect(page.locator("#stale")).to_be_visible()
    restored_stack.run("start", KAFKA_UI)
    expect(page.locator("#stale")).to_be_hidden()
