import json
import re
from html import unescape

import pytest

from consumer.web.figures import money
from tests.unit.consumer.topic.fake_kafka import TOPIC_ID
from tests.unit.consumer.topic.order_stats import figures
from tests.unit.consumer.web.harness import WebHarness

HOSTILE = '<img src=x onerror="alert(1)"> & {{ 7 * 7 }}'


def texts(page: str) -> str:
    """Return the page's text as a reader sees it, without its scripts."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_page_is_rendered_with_the_newest_figures_for_readers_and_for_the_script(web: WebHarness) -> None:
    web.read_topic()
    payload = figures(orders=1234567, revenue="12345678901234567.50")
    web.read_figures(payload)
    response = web.client.get("/figures")
    page = response.text
    assert response.headers["Cache-Control"] == "no-store"
    assert f'data-position="{TOPIC_ID};0:3,1:0"' in page
    (embedded,) = re.findall(r'data-stats="([^"]*)"', page)
    assert json.loads(unescape(embedded)) == json.loads(payload)
    shown = texts(page)
    for text in (
        "1,234,567",
        "12,345,678,901,234,567.50",
        "3 events counted",
        "12:00:00",
        "Basic Tee 2 3 96.00",
    ):
        assert text in shown
    assert '<time datetime="2026-11-22T12:00:00.000Z">12:00</time>' in page
    assert re.search(r'id="charts"(?! hidden)', page)
    assert 'id="empty" hidden' in page


def test_without_figures_the_page_says_so(web: WebHarness) -> None:
    web.read_topic()
    page = web.client.get("/figures").text
    assert 'data-stats=""' in page
    assert 'id="charts" hidden' in page
    assert 'id="empty">' in page


def test_names_of_items_are_texts(web: WebHarness) -> None:
    item = {"item": HOSTILE, "orders": 1, "quantity": 1, "revenue": "1.00"}
    web.read_figures(figures(items=[item], by_status={HOSTILE[:40]: 1}))
    page = web.client.get("/figures").text
    assert "<img" not in page
    assert HOSTILE in texts(page)


@pytest.mark.parametrize("path", ["/", "/figures"])
def test_each_view_leads_to_the_other_and_is_marked(web: WebHarness, path: str) -> None:
    page = web.client.get(path).text
    assert re.findall(r'<a href="(/|/figures)"( aria-current="page")?>', page) == [
        ("/", ' aria-current="page"' if path == "/" else ""),
        ("/figures", ' aria-current="page"' if path == "/figures" else ""),
    ]
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module"') == 1


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.00", "0.00"),
        ("1234.50", "1,234.50"),
        ("-1234.50", "-1,234.50"),
        ("-0.50", "-0.50"),
        ("1234567890123456789012.99", "1,234,567,890,123,456,789,012.99"),
    ],
)
def test_amounts_lose_no_cent(amount: str, text: str) -> None:
    assert money(amount) == text
