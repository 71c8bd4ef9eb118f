"""Several tabs of the dashboard in one browser: they share one connection, as a browser opens six to a server."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import Stack

OpenTabs = Callable[[int], list[Page]]
COUNT_REQUESTS = """
    window.sources = [];
    window.EventSource = class extends EventSource {
        constructor(url) { super(url); sources.push(this); }
    };
"""
IS_CONNECTED = "sources.some((source) => source.readyState !== EventSource.CLOSED)"


@pytest.fixture
def open_tabs(browser: Browser, running_stack: Stack) -> Iterator[OpenTabs]:
    """Open this many tabs in one context; the test fails when one of them raised an error."""
    context = browser.new_context()
    context.add_init_script(COUNT_REQUESTS)
    errors: list[str] = []

    def open_tabs(count: int) -> list[Page]:
        tabs = [context.new_page() for _ in range(count)]
        for tab in tabs:
            tab.set_default_timeout(30_000)
            tab.on("pageerror", lambda error: errors.append(str(error)))
            tab.goto(running_stack.env["CONSUMER_URL"] + "/")
        for tab in tabs:
            expect(tab.locator("#connection-word")).to_have_text("live")
        return tabs

    yield open_tabs
    context.close()
    assert errors == []


def holders(tabs: list[Page]) -> list[Page]:
    """Return the tabs that have a connection."""
    return [tab for tab in tabs if tab.evaluate(IS_CONNECTED)]


def the_holder(tabs: list[Page]) -> Page:
    """Wait until one tab has the connection, and return it."""
    eventually(lambda: len(holders(tabs)) == 1)
    (holder,) = holders(tabs)
    return holder


def expect_shown(tabs: list[Page], name: str) -> None:
    for tab in tabs:
        expect(tab.locator("#rows tr", has_text=name)).to_have_count(1)


def close(tab: Page) -> None:
    tab.close()


def crash(tab: Page) -> None:
    """End the tab's renderer; the tab stays, with a page that says so."""
    with tab.expect_event("crash"), suppress(PlaywrightError):
        tab.goto("chrome://crash")


@pytest.mark.parametrize("end", [close, crash])
def test_the_next_tab_takes_over_from_a_holder_that_ends(
    open_tabs: OpenTabs, shop: Shop, end: Callable[[Page], None]
) -> None:
    tabs = open_tabs(3)
    for ended in range(2):
        holder = the_holder(tabs)
        shop.post("/orders/random", {"count": 50})
        end(holder)
        tabs.remove(holder)
        name = f"After {ended} {uuid.uuid4().hex}"  # the pages open with what the test before this one placed
        shop.place(customer_name=name)
        expect_shown(tabs, name)
        for tab in tabs:
            expect(tab.locator("#count")).to_have_text(str(51 * (ended + 1)))


def test_the_next_tab_takes_over_when_the_holder_is_frozen(open_tabs: OpenTabs, shop: Shop) -> None:
    tabs = open_tabs(3)
    frozen = the_holder(tabs)
    devtools = frozen.context.new_cdp_session(frozen)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    others = [tab for tab in tabs if tab is not frozen]
    shop.place(customer_name="While one is frozen")
    expect_shown(others, "While one is frozen")
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    expect_shown([frozen], "While one is frozen")
    the_holder(tabs)


def test_a_tab_that_hangs_loses_the_connection(open_tabs: OpenTabs, shop: Shop) -> None:
    """As with SIGSTOP, it is told nothing before, and keeps its lock."""
    tabs = open_tabs(3)
    hung = the_holder(tabs)
    devtools = hung.context.new_cdp_session(hung)
    devtools.send("Debugger.enable")
    devtools.send("Debugger.pause")
    others = [tab for tab in tabs if tab is not hung]
    shop.place(customer_name="While one hangs")
    expect_shown(others, "While one hangs")
    devtools.send("Debugger.resume")
    devtools.send("Debugger.disable")
    expect_shown([hung], "While one hangs")
    the_holder(tabs)
