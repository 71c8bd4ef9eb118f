"""The dashboard through what happens to real browsers, in Chromium and in Firefox: nothing is missing, nothing is shown
twice, and what it says of its connection is true."""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from local_stack.ports import free_ports
from local_stack.services import BROKERS, CONSUMER
from tests.browser.chromium import started_chromium
from tests.browser.firefox import started_firefox
from tests.browser.real_browser import SLOW_S, RealBrowser, Tab
from tests.chaos.links import ANY, Links, Rule
from tests.eventually import eventually
from tests.shop import ORDER, Shop
from tests.stack import Stack

BROWSERS: dict[str, Callable[[Path], AbstractContextManager[RealBrowser]]] = {
    "chromium": started_chromium,
    "firefox": started_firefox,
}
OpenTab = Callable[..., Tab]
WORD = "document.getElementById('connection-word').textContent"
IS_NOTICE_HIDDEN = "document.getElementById('notice').hidden"
CUSTOMERS = (
    "JSON.stringify(Array.from(document.querySelectorAll('#rows .c-customer'), (cell) => cell.textContent))"
)


@pytest.fixture(scope="module", params=BROWSERS)
def real_browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealBrowser]:
    with BROWSERS[request.param](tmp_path_factory.mktemp(request.param)) as browser:
        yield browser


@pytest.fixture
def open_tab(real_browser: RealBrowser, running_stack: Stack) -> Iterator[OpenTab]:
    """Open the dashboard in a new tab: `open_tab()`. It is closed after the test, which fails if the page had an error,
    or violated its Content-Security-Policy."""
    tabs: list[Tab] = []

    def open_tab(url: str = "", script: str = "") -> Tab:
        tabs.append(real_browser.open((url or running_stack.env["CONSUMER_URL"]) + "/", script))
        return tabs[-1]

    yield open_tab
    problems = []
    for tab in tabs:
        problems.append(tab.evaluate("problems.join()"))
        tab.close()
    assert problems == [""] * len(tabs)


@pytest.fixture
def place(shop: Shop) -> Callable[..., list[str]]:
    """Place orders at once, and return their customers: `place("Missed", 5)`."""

    def place(name: str, count: int = 1, **changes: str) -> list[str]:
        names = [f"{name} {uuid.uuid4().hex[:8]}" for _ in range(count)]
        orders = [ORDER | changes | {"customer_name": each} for each in names]
        assert shop.post("/orders/batch", {"orders": orders}).status_code == 201
        return names

    return place


Place = Callable[..., list[str]]


def expect_live(tab: Tab) -> None:
    tab.wait_for(WORD, "live")
    assert tab.evaluate(IS_NOTICE_HIDDEN), tab.text("notice-text")


def expect_shown(tab: Tab, names: list[str]) -> None:
    """Wait until a tab has one row for each of these customers. Hidden tabs draw nothing, so it is shown first."""
    tab.bring_to_front()

    def are_shown() -> bool:
        rows = Counter(name for name in json.loads(tab.evaluate(CUSTOMERS)) if name in names)
        assert rows == Counter(names), sorted((Counter(names) - rows) + (rows - Counter(names)))[:20]
        return True

    eventually(are_shown, SLOW_S)


def open_streams(stack: Stack) -> int:
    health = requests.get(stack.env["CONSUMER_URL"] + "/health/ready", timeout=10).json()
    return int(health["checks"]["streams"]["open"])


@contextmanager
def suspended(stack: Stack, *services: str) -> Iterator[None]:
    """Stop the processes of services for the length of the block."""
    found = stack.services()
    processes = [psutil.Process(int(found[name]["pid"])) for name in services]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def test_server_is_restarted_and_a_page_opened_while_it_starts(
    open_tab: OpenTab, restored_stack: Stack, place: Place
) -> None:
    """It listens before it has read the topic, and here it cannot read yet: Kafka stands still."""
    tabs = [open_tab(), open_tab()]
    for tab in tabs:
        expect_live(tab)
    names = place("Before the restart", 5)
    expect_shown(tabs[0], names)
    restored_stack.run("stop", CONSUMER)
    for tab in tabs:
        tab.wait_for(WORD, "reconnecting")
        assert "keeps trying" in tab.text("connection-note")
    names += place("While it was away", 10)
    with ThreadPoolExecutor(1) as background:
        with suspended(restored_stack, *BROKERS):
            starting = background.submit(restored_stack.run, "start", CONSUMER)
            url = restored_stack.env["CONSUMER_URL"] + "/health/live"
            eventually(lambda: requests.get(url, timeout=10).ok, SLOW_S, not_yet=requests.RequestException)
            late = open_tab()
            assert late.evaluate("document.body.dataset.position") == ""
            late.wait_for(WORD, "reconnecting")
            late.wait_for("document.getElementById('empty-title').textContent", "No connection to the server")
            names += place("While it starts", 10)
        starting.result()
    for tab in (*tabs, late):
        expect_live(tab)
        expect_shown(tab, names)


def test_connection_is_cut_without_a_word(open_tab: OpenTab, running_stack: Stack, place: Place) -> None:
    """As when a cable is pulled. The page must notice the silence by itself, here by a clock that is put on."""
    port, consumer = next(free_ports()), urlsplit(running_stack.env["CONSUMER_URL"]).port
    assert consumer
    with Links({CONSUMER: port}, lambda _: consumer, dict) as links:
        tab = open_tab(f"http://127.0.0.1:{port}")
        expect_live(tab)
        names = place("Before the cut", 3)
        expect_shown(tab, names)
        with links.rules([(ANY, CONSUMER)], Rule(cut=True)):
            names += place("While it was cut", 20)
            tab.evaluate("void (later += 30_000)")
            tab.wait_for(WORD, "reconnecting")
        expect_live(tab)
        expect_shown(tab, names)


def test_laptop_is_asleep_for_longer_than_a_viewer_may_stall(
    open_tab: OpenTab, real_browser: RealBrowser, running_stack: Stack, place: Place
) -> None:
    tabs = [open_tab(), open_tab()]
    for tab in tabs:
        expect_live(tab)
    eventually(lambda: open_streams(running_stack) == 1, SLOW_S)
    names = place("Before it sleeps", 3)
    for tab in tabs:
        expect_shown(tab, names)
    with real_browser.asleep():
        for part in range(10):  # more than fits into the buffers of a connection
            names += place(f"While it sleeps {part}", 80, description="\N{SLEEPING SYMBOL}" * 1000)
        eventually(lambda: open_streams(running_stack) == 0, SLOW_S)
    names += place("After it woke up", 3)
    for tab in tabs:
        expect_shown(tab, names)
        expect_live(tab)
    eventually(lambda: open_streams(running_stack) == 1, SLOW_S)


def test_page_is_left_and_come_back_to(open_tab: OpenTab, running_stack: Stack, place: Place) -> None:
    """Firefox loads a page with a stream anew. Chromium would keep it, if it were not for `no-store`."""
    tabs = [open_tab(), open_tab()]
    for tab in tabs:
        expect_live(tab)
    names = place("Before it is left", 3)
    for tab in tabs:
        expect_shown(tab, names)
    for tab in tabs:  # one of them is the holder
        tab.navigate(running_stack.env["PRODUCER_URL"] + "/")
        names += place("While it is away", 3)
        tab.go_back()
        tab.wait_for("location.port", str(urlsplit(running_stack.env["CONSUMER_URL"]).port))
        names += place("Since it is back", 3)
    for tab in tabs:
        expect_live(tab)
        expect_shown(tab, names)


@pytest.mark.parametrize("wrong_by_ms", [3_600_000, -3_600_000], ids=["ahead", "behind"])
def test_clock_is_an_hour_wrong(open_tab: OpenTab, place: Place, wrong_by_ms: int) -> None:
    tab = open_tab(script=f"const now = Date.now; Date.now = () => now() + {wrong_by_ms};")
    expect_live(tab)
    names = place("An hour wrong")
    expect_shown(tab, names)
    row = f"Array.from(document.querySelectorAll('#rows tr')).find((row) => row.textContent.includes({names[0]!r}))"
    tab.wait_for(f"/just now|^\\d+ s ago/.test({row}.querySelector('time').textContent)")
    tab.wait_for("/^[\\d.]+ m?s$/.test(document.getElementById('latency').textContent)")


def test_figures_are_drawn_and_follow_the_orders(
    open_tab: OpenTab, running_stack: Stack, place: Place
) -> None:
    item = f"Drawn {uuid.uuid4().hex[:8]}"
    place("Before", item=item, unit_price="9999999999.99")
    tab = open_tab()
    tab.navigate(running_stack.env["CONSUMER_URL"] + "/figures")
    tab.wait_for(WORD, "live")
    bar = (
        "[...document.querySelectorAll('#items-chart .bars li')]"
        f".find((bar) => bar.querySelector('.bar-name').textContent === '{item}')"
    )
    tab.wait_for(f"!!{bar}")
    tab.wait_for(f"{bar}.querySelector('.fill').getBoundingClientRect().width > 50")
    tab.wait_for("document.querySelectorAll('#orders-chart .column').length", 60)
    tab.wait_for(
        "[...document.querySelectorAll('#orders-chart .column')]"
        ".some((column) => column.getBoundingClientRect().height > 100)"
    )
    before = int(tab.text("orders").replace(",", ""))
    place("After", 3)
    tab.wait_for("document.getElementById('orders').textContent", f"{before + 3:,}")


def test_eight_tabs_share_one_connection_and_the_next_takes_over(
    open_tab: OpenTab, running_stack: Stack, place: Place
) -> None:
    """A browser opens six connections to a server: with one for each tab, buttons would get no answer."""
    tabs = [open_tab() for _ in range(8)]
    for tab in tabs:
        expect_live(tab)
    eventually(lambda: open_streams(running_stack) == 1, SLOW_S)
    names = place("For all eight", 20)
    for tab in tabs:
        expect_shown(tab, names)
    tabs[0].navigate("about:blank")  # it was the first to connect, so it is the holder
    names += place("For the others", 20)
    for tab in tabs[1:]:
        expect_shown(tab, names)
        expect_live(tab)
    last = tabs[-1]
    last.click("clear")
    last.wait_for("document.querySelectorAll('#rows tr').length", 0)
    last.click("history")
    expect_shown(last, names)

    def is_test_event_shown() -> bool:
        last.click("test")  # again, if the server was too busy to take it
        return last.text("last-note").startswith("test.event")

    eventually(is_test_event_shown, SLOW_S)
