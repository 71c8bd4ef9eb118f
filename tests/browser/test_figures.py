"""The figures in a browser: what the charts and their tables show is what the projector has counted."""

import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from producer.domain.status import Status
from tests.browser.conftest import OpenPage, Theme
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import Stack

Ask = Callable[[str], dict[str, Any]]
LIFECYCLE = ["placed", "confirmed", "shipped", "delivered", "cancelled"]


@pytest.fixture
def ask(running_stack: Stack) -> Ask:
    """Ask the projector."""

    def ask(path: str) -> dict[str, Any]:
        body: dict[str, Any] = requests.get(running_stack.env["PROJECTOR_URL"] + path, timeout=10).json()
        return body

    return ask


def numbers(page: Page, name: str) -> list[list[str]]:
    """Return the table under a chart."""
    rows: list[list[str]] = page.locator(f"#{name}-numbers tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return rows


def shares(page: Page, selector: str, attribute: str) -> list[float]:
    """Return what the shapes of a chart have as an attribute, in percent."""
    values: list[str] = page.locator(selector).evaluate_all(
        "(shapes, name) => shapes.map((shape) => shape.getAttribute(name))", attribute
    )
    return [float(value.removesuffix("%")) for value in values]


def money(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def shows(page: Page, ask: Ask) -> bool:
    """Return whether page and projector agree. Raises AssertionError where they do not."""
    stats, items = ask("/stats"), ask("/stats/items?limit=10")["items"]
    minutes = ask("/stats/series?minutes=60")["minutes"]
    assert page.locator("#orders").inner_text() == f"{stats['orders']:,}"
    assert page.locator("#revenue").inner_text() == f"{Decimal(stats['revenue']):,}"
    assert [[name, number] for name, number, _ in numbers(page, "statuses")] == [
        [status, f"{stats['by_status'][status]:,}"] for status in LIFECYCLE if status in stats["by_status"]
    ]
    assert numbers(page, "items") == [
        [
            each["item"],
            f"{each['orders']:,}",
            f"{each['quantity']:,}",
            f"{Decimal(each['revenue']):,}",
        ]
        for each in items
    ]
    assert [orders for _, orders, _ in numbers(page, "orders")] == [
        f"{each['by_status'].get('placed', 0):,}" for each in reversed(minutes)
    ]
    assert [money(revenue) for _, revenue in numbers(page, "revenue")] == [
        Decimal(each["revenue"]) for each in reversed(minutes)
    ]
    return True


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_charts_show_what_was_counted_live(open_page: OpenPage, shop: Shop, ask: Ask, theme: Theme) -> None:
    shop.place(item="Before the page")
    page = open_page("CONSUMER_URL", "/figures", theme=theme)
    expect(page.locator("#connection-word")).to_have_text("live")
    eventually(lambda: shows(page, ask), 30)
    before = int(page.locator("#orders").inner_text().replace(",", ""))
    item = f"Chart {uuid.uuid4().hex[:8]}"
    for _ in range(3):
        order_id = shop.place(item=item, unit_price="9999999.50", quantity=7)
    shop.change_status(order_id, Status.CANCELLED)
    expect(page.locator("#orders")).to_have_text(f"{before + 3:,}")
    eventually(lambda: shows(page, ask), 30)
    sold = page.locator("#items-chart .bars li").filter(has_text=item)
    expect(sold).to_contain_text("139,999,993.00")
    # The shapes are those numbers.
    placed = [int(orders.replace(",", "")) for _, orders, _ in numbers(page, "orders")][::-1]
    heights = shares(page, "#orders-chart .column", "height")
    assert len(heights) == len(placed) == 60
    highest = max(placed)
    assert [height > 0 for height in heights] == [number > 0 for number in placed]
    ratios = [
        height * highest / number
        for height, number in zip(heights, placed, strict=True)
        if number * 4 > highest  # lower ones are drawn so that they are seen
    ]
    assert max(ratios) - min(ratios) < 1
    widths = shares(page, "#items-chart .fill", "width")
    assert widths[0] == 100
    assert widths == sorted(widths, reverse=True)


def test_views_are_reached_by_link_history_keyboard_and_address(open_page: OpenPage) -> None:
    page = open_page("CONSUMER_URL")
    views = page.get_by_role("navigation", name="Views")
    expect(views.get_by_role("link", name="Events")).to_have_attribute("aria-current", "page")
    views.get_by_role("link", name="Figures").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/figures$"))
    expect(page).to_have_title("Order Figures")
    expect(page.get_by_role("link", name="Figures")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.locator("#connection-word")).to_have_text("live")
    expect(page).to_have_title("Live Kafka Events")
    page.go_forward()
    expect(page.get_by_role("heading", name="Orders per minute")).to_be_visible()


def test_columns_and_bars_are_told_by_pointer_and_by_key(open_page: OpenPage, shop: Shop) -> None:
    shop.place(item="Told")
    page = open_page("CONSUMER_URL", "/figures")
    plot, tip = page.locator("#orders-chart .plot"), page.locator("#orders-chart .tip")
    expect(page.locator("#orders-chart .column")).to_have_count(60)
    expect(tip).to_be_hidden()
    page.locator("#orders-chart .hits rect").nth(10).hover()
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("orders")
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    plot.focus()
    spoken = page.locator("#orders-chart .spoken")
    expect(spoken).to_have_text(re.compile(r"^\d+:\d\d [AP]M: [\d,]+ orders?, [\d,]+ events?$"))
    last = spoken.inner_text()
    page.keyboard.press("ArrowLeft")
    expect(spoken).not_to_have_text(last)
    expect(page.locator("#orders-chart .column.picked")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(tip).to_be_hidden()
    page.locator("#items-chart .bars").focus()
    expect(page.locator("#items-chart .bar-more").first).to_be_visible()
    expect(page.locator("#items-chart .spoken")).to_have_text(re.compile(r"orders?, [\d,]+ pieces?, "))


def test_numbers_are_an_ordinary_table_at_every_width(open_page: OpenPage, shop: Shop) -> None:
    shop.place()
    page = open_page("CONSUMER_URL", "/figures", width=360)
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.locator("#orders-chart summary").click()
        table = page.get_by_role("table").first
        expect(table.get_by_role("columnheader")).to_have_text(["Minute", "Orders", "Events"])
        expect(table.get_by_role("row")).to_have_count(61)
        cells = table.locator("tbody tr").first.locator("th, td")
        tops = {round(box["y"]) for box in map(Locator.bounding_box, cells.all()) if box}
        assert len(tops) == 1  # no cards, as the events' rows are where it is narrow
        page.locator("#orders-chart summary").click()


def test_hostile_and_huge_figures_are_texts_and_fit(open_page: OpenPage, shop: Shop) -> None:
    hostile = '<img src=x onerror="document.title=1">' + "W" * 160
    shop.place(item=hostile, unit_price="9999999999.99", quantity=10000)
    page = open_page("CONSUMER_URL", "/figures", width=360)
    name = page.locator("#items-chart .bar-name").first
    expect(name).to_have_text(hostile)
    assert page.locator("main img").count() == 0
    for width in (360, 768, 1280, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        page.locator("#items-chart .bars").focus()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    expect(page).to_have_title("Order Figures")


def test_page_says_since_when_no_figures_come_and_events_go_on(
    open_page: OpenPage, shop: Shop, restored_stack: Stack
) -> None:
    shop.place()
    page = open_page("CONSUMER_URL", "/figures")
    expect(page.locator("#age")).to_have_text("up to date")
    expect(page.locator("#outdated")).to_be_hidden()
    restored_stack.run("stop", "projector")
    expect(page.locator("#age")).to_have_text(re.compile(r"^\d\d s old$"), timeout=60_000)
    expect(page.locator("#outdated")).to_contain_text(page.locator("#as-of").inner_text())
    expect(page.locator("#connection-word")).to_have_text("live")
    events = open_page("CONSUMER_URL")
    expect(events.locator("#connection-word")).to_have_text("live")
    shop.place(customer_name="Without figures")
    expect(events.locator("#rows tr", has_text="Without figures")).to_have_count(1)
    health = requests.get(restored_stack.env["CONSUMER_URL"] + "/health/ready", timeout=10).json()
    assert health["status"] == "ok"
    restored_stack.run("start")
    expect(page.locator("#age")).to_have_text("up to date", timeout=60_000)
    expect(page.locator("#outdated")).to_be_hidden()


COUNT_STREAMS = """
    window.opened = [];
    window.EventSource = class extends EventSource {
        constructor(url) { super(url); opened.push(this); }
    };
"""
OPEN = "opened.filter((source) => source.readyState !== EventSource.CLOSED).map(({url}) => url)"


def test_tabs_of_both_views_share_one_connection(browser: Browser, running_stack: Stack, shop: Shop) -> None:
    context = browser.new_context()
    context.add_init_script(COUNT_STREAMS)
    tabs = [context.new_page() for _ in range(3)]
    try:
        for tab, path in zip(tabs, ("/", "/figures", "/figures"), strict=True):
            tab.goto(running_stack.env["CONSUMER_URL"] + path)
            expect(tab.locator("#connection-word")).to_have_text("live")

        def streams() -> list[str]:
            return [url for tab in tabs for url in tab.evaluate(OPEN)]

        eventually(lambda: len(streams()) == 1 and "stats=1" in streams()[0], 30)
        before = int(tabs[1].locator("#orders").inner_text().replace(",", ""))
        shop.place(customer_name="Seen in every view")
        for tab in tabs[1:]:
            expect(tab.locator("#orders")).to_have_text(f"{before + 1:,}")
        expect(tabs[0].locator("#rows tr", has_text="Seen in every view")).to_have_count(1)
        tabs[0].close()  # it had the connection
        del tabs[0]
        shop.place()
        for tab in tabs:
            expect(tab.locator("#orders")).to_have_text(f"{before + 2:,}")
    finally:
        context.close()
