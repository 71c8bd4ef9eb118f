"""Every page, in every size and both themes: nothing sticks out, and axe finds nothing."""

from pathlib import Path

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.shop import Shop

PAGES = {
    "checkout": ("PRODUCER_URL", "/"),
    "docs": ("PRODUCER_URL", "/docs"),
    "dashboard": ("CONSUMER_URL", "/"),
}
SIZES = (390, 768, 1280)


@pytest.fixture
def shown(open_page: OpenPage, shop: Shop, request: pytest.FixtureRequest) -> Page:
    name, width, theme = request.param
    shop.post("/orders/random", {"count": 20})
    service, path = PAGES[name]
    page = open_page(service, path, width=width, theme=theme)
    ready = {"checkout": "#recent tr", "docs": ".opblock", "dashboard": "#rows tr"}[name]
    expect(page.locator(ready).first).to_be_visible()
    return page


ALL = [(name, width, theme) for name in PAGES for width in SIZES for theme in ("light", "dark")]


@pytest.mark.parametrize("shown", ALL, indirect=True, ids=lambda each: "-".join(map(str, each)))
def test_page_fits_and_is_accessible(shown: Page) -> None:
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(shown)
    assert found.violations_count == 0, found.generate_report()


PICTURES = {
    "dashboard": ("dashboard", 1280, "light"),
    "dashboard-dark": ("dashboard", 1280, "dark"),
    "checkout": ("checkout", 1280, "light"),
    "dashboard-phone": ("dashboard", 390, "light"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture_of_a_page_is_taken(
    open_page: OpenPage, shop: Shop, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """For the README: `make screenshots` keeps them."""
    which, width, theme = PICTURES[name]
    service, path = PAGES[which]
    page = open_page(service, path, width=width, theme=theme)
    for _ in range(6):
        shop.post("/orders/random", {"count": 4})
    take_some_further(shop)
    rows = page.locator("#recent tr" if which == "checkout" else "#rows tr")
    expect(rows.nth(19)).to_be_attached()
    expect(page.locator("#recent .status, #rows tr", has_text="delivered").first).to_be_attached()
    picture = Path(request.config.getoption("--pictures") or tmp_path) / f"{name}.png"
    page.screenshot(path=picture)
    assert picture.stat().st_size > 10_000


def take_some_further(shop: Shop) -> None:
    newest = requests.get(f"{shop.url}/orders?limit=9", timeout=10).json()["orders"]
    for number, order in enumerate(newest[2:]):
        for status in ("confirmed", "shipped", "delivered")[: number % 4]:
            shop.change(order["id"], status)
    shop.post("/orders/random", {"count": 3})
