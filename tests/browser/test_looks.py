"""Every page in every size and both themes: nothing overflows, and axe finds no violation."""

import json
import math
import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from producer.domain.status import Status
from tests.browser.conftest import OpenPage, Theme
from tests.eventually import eventually
from tests.shop import DELIVERY, Shop

PAGES = {
    "checkout": ("PRODUCER_URL", "/"),
    "docs": ("PRODUCER_URL", "/docs"),
    "dashboard": ("CONSUMER_URL", "/"),
    "figures": ("CONSUMER_URL", "/figures"),
    "cluster": ("KAFKA_UI_URL", "/"),
    "topics": ("KAFKA_UI_URL", "/topics"),
    "topic": ("KAFKA_UI_URL", "/topics/orders"),
    "messages": ("KAFKA_UI_URL", "/topics/orders/messages"),
    "groups": ("KAFKA_UI_URL", "/groups"),
}
# What is there once a page has loaded; Kafka UI's pages are complete when they come.
READY = {
    "checkout": "#recent tr",
    "docs": ".opblock",
    "dashboard": "#rows tr",
    "figures": "#items-chart .bars li",
}
WIDTHS = (390, 768, 1280)
THEMES: tuple[Theme, ...] = ("light", "dark")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PAGES)
def test_page_fits_and_is_accessible(open_page: OpenPage, shop: Shop, name: str, theme: Theme) -> None:
    shop.post("/orders/random", {"count": 20})
    service, path = PAGES[name]
    page = open_page(service, path, theme=theme)
    expect(page.locator(READY.get(name, "#main > *")).first).to_be_visible()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        report = Axe().run(page)
        assert report.violations_count == 0, (width, report.generate_report())


NOT_FOR_READERS = re.compile(r"undefined|NaN|\[object|Invalid Date|\{\{")
PICTURES: dict[str, tuple[str, int, Theme]] = {
    "dashboard": ("dashboard", 1280, "light"),
    "dashboard-dark": ("dashboard", 1280, "dark"),
    "checkout": ("checkout", 1280, "light"),
    "dashboard-phone": ("dashboard", 390, "light"),
    "kafka-ui": ("messages", 1280, "light"),
    "figures": ("figures", 1280, "light"),
    "figures-dark": ("figures", 1280, "dark"),
    "figures-phone": ("figures", 390, "light"),
}
ITEMS = [
    ("Walnut desk lamp", 311, 189.0),
    ("Linen shirt", 402, 96.0),
    ("Enamel coffee pot", 388, 74.5),
    ("Trail running shoes", 176, 139.9),
    ("Wool blanket, double, hand-woven", 121, 158.0),
    ("Basic Tee", 540, 32.0),
    ("Cast-iron skillet", 233, 59.9),
    ("Notebook, dotted", 861, 12.5),
]
SCRIPTED_STREAM = """
    window.EventSource = class extends EventTarget {{
        static CLOSED = 2;
        readyState = 1;
        constructor() {{
            super();
            setTimeout(() => {{
                for (const [type, data] of Object.entries({{ status: {status}, stats: {stats} }})) {{
                    this.dispatchEvent(new MessageEvent(type, {{ data: JSON.stringify(data) }}));
                }}
            }});
        }}
        close() {{}}
    }};
"""
# What is to be there, twenty rows of it or as many as there are.
ROWS = {"checkout": "#recent tr", "messages": ".message", "figures": "#orders-chart .column"}


@pytest.mark.parametrize("name", PICTURES)
def test_picture_of_a_page_is_taken(
    open_page: OpenPage, shop: Shop, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Take a picture for the README, which shows the page in its theme, filled; `make screenshots` keeps it."""
    page_name, width, theme = PICTURES[name]
    service, path = PAGES[page_name]
    page = open_page(service, path, width=width, theme=theme)
    if page_name == "figures":
        show_an_hour(page)
    for _ in range(6):
        shop.post("/orders/random", {"count": 4})
    advance_some_orders(shop)
    rows = page.locator(ROWS.get(page_name, "#rows tr"))
    delivered = page.locator("#recent .status, #rows tr, .message, .bars li", has_text=Status.DELIVERED)
    if page_name == "messages":  # it shows what is there when it is asked
        eventually(lambda: page.reload() and delivered.count())
        page.locator("summary").first.click()
    expect(rows.nth(19)).to_be_attached()
    expect(delivered.first).to_be_attached()
    picture = Path(request.config.getoption("--pictures") or tmp_path) / f"{name}.png"
    page.screenshot(path=picture)
    expect(page.locator("main, #main").first).not_to_contain_text(NOT_FOR_READERS)
    with Image.open(picture) as shown:
        assert shown.size == (width, 900)
        shades = shown.convert("L").histogram()
    # Text has edges of every shade; a page without its stylesheet or its rows has few.
    assert sum(pixels > 0 for pixels in shades) > 64
    brightness = sum(pixels * shade for shade, pixels in enumerate(shades)) / sum(shades)
    assert (brightness < 80) if theme == "dark" else (brightness > 200)


def show_an_hour(page: Page) -> None:
    """Let the page's stream bring the figures of an hour that is made up: what tests place is all of one minute."""
    # A little later than the figures that the page was rendered with.
    rand, now = random.Random(7), datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
    minutes: list[dict[str, object]] = []
    for back in range(59, -1, -1):
        placed = max(0, round(9 + 5 * math.sin(back / 7) + rand.gauss(0, 2.5)))
        cancelled = int(rand.random() < 0.12) * rand.randrange(1, 4)
        revenue = sum(rand.choice((12.5, 32.0, 64.0, 89.9)) for _ in range(placed)) - 40 * cancelled
        minutes.append(
            {
                "minute": (now.replace(second=0) - timedelta(minutes=back)).isoformat(),
                "events": placed + cancelled + rand.randrange(8),
                "by_status": {"placed": placed, "cancelled": cancelled},
                "revenue": f"{revenue:.2f}",
            }
        )
    figures = {
        "time": now.isoformat(),
        "orders": 4988,
        "events": 12631,
        "by_status": {"placed": 412, "confirmed": 655, "shipped": 904, "delivered": 2831, "cancelled": 186},
        "revenue": "251907.35",
        "minutes": minutes,
        "items": [
            {"item": item, "orders": orders, "quantity": orders * 2, "revenue": f"{orders * price:.2f}"}
            for item, orders, price in ITEMS
        ],
    }
    status = {"state": "live", "position": None, "time": now.isoformat()}
    page.add_init_script(SCRIPTED_STREAM.format(status=json.dumps(status), stats=json.dumps(figures)))
    page.reload()
    expect(page.locator("#orders")).to_have_text("4,988")


def advance_some_orders(shop: Shop) -> None:
    newest = requests.get(f"{shop.url}/orders?limit=9", timeout=10).json()["orders"]
    for number, order in enumerate(newest[2:]):
        for status in DELIVERY[: number % 4]:
            shop.change_status(order["id"], status)
    shop.post("/orders/random", {"count": 3})
