"""The pages in a real browser: Debian's chromium, driven by Playwright.

Without a chromium these tests are skipped; REQUIRE_BROWSER=1 makes that a failure. BROWSER names another browser.
"""

from collections.abc import Iterator
from typing import Literal, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.browser.chromium import QUIET, chromium_path
from tests.stack import Stack

REPORT_VIOLATIONS = """
    window.violations = [];
    addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""
Theme = Literal["light", "dark"]


class OpenPage(Protocol):
    """The `open_page` fixture. service: the name of the environment variable with its address."""

    def __call__(self, service: str, path: str = "/", width: int = 1280, theme: Theme = "light") -> Page: ...


expect.set_options(timeout=15_000)  # as `eventually` waits: these machines are shared


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=QUIET)
    yield browser
    browser.close()


@pytest.fixture
def open_page(browser: Browser, running_stack: Stack) -> Iterator[OpenPage]:
    """Open a page with its own context: `open_page("CONSUMER_URL", width=390, theme="dark")`.

    The test fails when a page violated its Content-Security-Policy or raised an error.
    """
    contexts: list[BrowserContext] = []
    pages: list[Page] = []
    errors: list[str] = []

    def open_page(service: str, path: str = "/", width: int = 1280, theme: Theme = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        context.add_init_script(REPORT_VIOLATIONS)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(running_stack.env[service] + path)
        pages.append(page)
        return page

    yield open_page
    violations = [violation for page in pages for violation in page.evaluate("window.violations")]
    for context in contexts:
        context.close()
    assert violations == []
    assert errors == []
